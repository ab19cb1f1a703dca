"""Seeded networks for measuring what layers cost: independent cells of few operators, each a segment of its own.

usage: cost_networks.py FOLDER [--kind cells|windows|rewrites|random] [--networks N] [--seed S]

Every cell is a 1x1 convolution, the operators to be measured, and another 1x1 convolution, so that these read and
write on the chip as in the middle of a network: a layer takes as long there as in a large model. Cells share nothing,
and the compiler makes each a segment. Writes ``cells_SEED.onnx`` for seeds from S; a seed gives one network. The kind
``windows`` has cells of another menu, and so has ``rewrites``: of what our own passes make. ``random`` writes the
networks of random_networks.py instead, whose layers are at the edges of a network as often as not, and of sizes and
attributes that no known architecture has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from math import isqrt, prod
from pathlib import Path
from typing import Any

import cost_rewrites as rewrites
import cost_transformers as transformers
import numpy as np
import onnx
from cost_cells import CHANNELS, HEAVIEST, LARGEST, Cells
from random_networks import network as random_network

CELLS, SOME, FEW = 12, 8, 3
LOOKUPS = (
    "Sigmoid", "Tanh", "Exp", "HardSigmoid", "LeakyRelu", "Elu", "Softplus", "Sqrt", "Reciprocal", "Erf", "Abs", "Neg",
    "Log", "Softsign",
)  # fmt: skip


def network(seed: int) -> onnx.ModelProto:
    """The network of a seed."""
    return _of_cells(seed, MENU, CELLS)


def window_network(seed: int) -> onnx.ModelProto:
    """The network of a seed whose cells work in windows of maps."""
    return _of_cells(seed, {transformers.windows: 1}, FEW)


def rewritten_network(seed: int) -> onnx.ModelProto:
    """The network of a seed whose cells are of what rewrites make."""
    return _of_cells(seed, REWRITES, SOME)


def _of_cells(seed: int, menu: Mapping[Callable[[Cells], None], float], count: int) -> onnx.ModelProto:
    """A network of ``count`` cells, drawn from a menu."""
    net = Cells(seed)
    kinds, shares = list(menu), np.array(list(menu.values())) / sum(menu.values())
    for _ in range(count):
        kinds[int(net.rng.choice(len(kinds), p=shares))](net)
    made = {name for node in net.nodes for name in node.output}
    inputs = [name for name in net.values if name not in made]
    outputs = [name for name in net.values if name in made and name not in net.read]
    return net.model(f"cells_{seed}", inputs, outputs)


def _dense(net: Cells) -> None:
    x = net.feature_of()
    _, c, h, w = net.values[x]
    kernel, stride = (
        net.pick(((1, 1), (1, 1), (3, 3), (3, 3), (3, 3), (5, 5), (7, 7), (1, 3), (5, 1))),
        net.pick((1, 1, 1, 2)),
    )
    fits = [
        o for o in CHANNELS if o * c * prod(kernel) * h * w <= HEAVIEST * stride**2 and o * h * w <= LARGEST * stride**2
    ]
    dilation = net.pick((1, 1, 1, 1, 1, 2)) if kernel == (3, 3) else 1
    if fits:
        net.end(net.conv(x, net.pick(fits), kernel, stride, dilation=dilation, relu=net.chance(0.7)))


def _stem(net: Cells) -> None:
    h, w = net.side()
    x = net.input((1, net.pick((1, 3, 3, 3, 4, 12)), 2 * h, 2 * w))
    kernel = net.pick(((3, 3), (3, 3), (6, 6), (7, 7), (5, 5)))
    net.end(net.conv(x, net.pick((16, 24, 32, 48, 64)), kernel, 2, relu=True))


def _depthwise(net: Cells) -> None:
    x = net.feature_of()
    c, kernel = net.values[x][1], net.pick((3, 3, 3, 5, 5, 7))
    net.end(net.conv(x, c, (kernel, kernel), net.pick((1, 1, 2)), c, relu=net.chance(0.7)))


def _grouped(net: Cells) -> None:
    x = net.feature_of()
    _, c, h, w = net.values[x]
    kernel, width = net.pick((1, 3, 3)), net.pick((2, 4, 8, 16, 24, 32, 48, 64))
    if c % width == 0 and c * width * kernel**2 * h * w <= HEAVIEST:
        net.end(net.conv(x, c, (kernel, kernel), net.pick((1, 1, 2)), c // width, relu=True))


def _transposed(net: Cells) -> None:
    x = net.feature_of(LARGEST // 8)
    _, c, h, w = net.values[x]
    kernel, pad = net.pick(((2, 0), (4, 1)))
    out = net.pick([o for o in CHANNELS if o <= c])
    if c * out * kernel**2 * h * w <= HEAVIEST:
        shape = (1, out, 2 * h, 2 * w)
        attrs: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [2, 2], "pads": [pad] * 4}
        net.end(net.op("ConvTranspose", [x, net.weights(c, out, kernel, kernel)], shape, **attrs))


def _lookup(net: Cells) -> None:
    x = net.feature_of()
    net.end(net.op(net.pick(LOOKUPS), [x], net.values[x]))


def _gate(net: Cells) -> None:
    x = net.feature_of()
    y = net.conv(x, net.values[x][1])
    net.end(net.op("Mul", [y, net.op("Sigmoid", [y], net.values[y])], net.values[y]))


def _binary(net: Cells) -> None:
    x = net.feature_of()
    c, shape = net.values[x][1], net.values[x]
    a = net.op("Tanh", [x], shape) if net.chance(0.5) else net.conv(x, c, relu=True)
    b = net.op("Sigmoid", [x], shape) if net.chance(0.5) else x
    net.end(net.op(net.pick(("Add", "Add", "Mul", "Mul", "Sub", "Max", "Min")), [a, b], shape))


def _shortcut(net: Cells) -> None:
    x = net.feature_of()
    y = net.conv(x, net.values[x][1], net.pick(((1, 1), (3, 3))) if prod(net.values[x]) < LARGEST // 16 else (1, 1))
    net.end(net.op("Add", [y, x], net.values[x]))


def _excite(net: Cells) -> None:
    x = net.feature_of()
    c, shape = net.values[x][1], net.values[x]
    a = (
        net.op("GlobalAveragePool", [x], (1, c, 1, 1))
        if net.chance(0.5)
        else net.op("ReduceMean", [x], (1, c, 1, 1), axes=[2, 3])
    )
    b = net.conv(net.conv(a, max(8, c // 4), relu=True), c)
    gate = net.op(net.pick(("Sigmoid", "HardSigmoid")), [b], (1, c, 1, 1))
    net.end(net.op("Mul", [x, gate], shape))


def _constant(net: Cells) -> None:
    x = net.feature_of()
    a = net.op(net.pick(("Sigmoid", "Tanh")), [x], net.values[x])
    c = net.weights(1, net.values[x][1], 1, 1) if net.chance(0.6) else net.constant(np.array([1.5], np.float32))
    net.end(net.op(net.pick(("Add", "Mul", "Sub", "Div")), [a, c], net.values[x]))


def _pool(net: Cells) -> None:
    x = net.feature_of()
    _, c, h, w = net.values[x]
    kernel, stride = net.pick(((2, 2), (3, 2), (3, 1), (5, 1), (9, 1)))
    if min(h, w) < 2 * kernel:
        return
    pad = kernel // 2 if kernel % 2 else 0
    size = [(side + 2 * pad - kernel) // stride + 1 for side in (h, w)]
    attrs: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
    net.end(net.op(net.pick(("MaxPool", "MaxPool", "AveragePool")), [x], (1, c, *size), **attrs))


def _reduce(net: Cells) -> None:
    x = net.feature_of(LARGEST // 2)
    shape = list(net.values[x])
    axis = net.pick((1, 1, 2, 3))
    shape[axis] = 1
    op = net.pick(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"))
    y = net.op(op, [x], tuple(shape), axes=[axis], keepdims=1)
    net.end(net.op("Add", [x, y], net.values[x]))


def _concat(net: Cells) -> None:
    x = net.feature_of(LARGEST // 2)
    _, _, h, w = net.values[x]
    wide = [o for o in CHANNELS if o * h * w <= LARGEST // 4]
    parts = [x, *(net.conv(x, net.pick(wide), relu=True) for _ in range(net.pick((1, 1, 2, 3))))]
    shape = (1, sum(net.values[p][1] for p in parts), h, w)
    net.end(net.op("Concat", parts, shape, axis=1))


def _slice(net: Cells) -> None:
    x = net.feature_of()
    n, c, h, w = net.values[x]
    half = c // 2
    if net.chance(0.5):
        a, b = (
            net.op("Slice", [x, *(net.ints(v) for v in cut)], (n, half, h, w)) for cut in ((0, half, 1), (half, c, 1))
        )
        net.end(net.op("Concat", [net.conv(a, half, relu=True), b], (n, c, h, w), axis=1))
    else:
        net.end(net.op("Slice", [x, net.ints(0), net.ints(h // 2), net.ints(2)], (n, c, h // 2, w)))


def _resize(net: Cells) -> None:
    x = net.feature_of(LARGEST // 4)
    _, c, h, w = net.values[x]
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    empty = net.constant(np.array([], np.float32))
    linear = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    attrs: dict[str, Any] = net.pick((linear, nearest, nearest))
    net.end(net.op("Resize", [x, empty, scales], (1, c, 2 * h, 2 * w), **attrs))


def _blocks(net: Cells) -> None:
    x = net.feature_of(LARGEST // 2)
    _, c, h, w = net.values[x]
    if net.chance(0.5):
        net.end(net.op("DepthToSpace", [x], (1, c // 4, 2 * h, 2 * w), blocksize=2))
    elif h % 2 == 0 and w % 2 == 0:
        net.end(net.op("SpaceToDepth", [x], (1, 4 * c, h // 2, w // 2), blocksize=2))


def _transpose(net: Cells) -> None:
    x = net.feature_of(LARGEST // 4)
    shape = net.values[x]
    perm = net.pick(((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 3, 2, 1), (0, 2, 1, 3)))
    net.end(net.op("Transpose", [x], tuple(shape[p] for p in perm), perm=perm))


def _reshape(net: Cells) -> None:
    x = net.feature_of(LARGEST // 4)
    _, c, h, w = net.values[x]
    groups = net.pick([g for g in (2, 4, 8) if c % g == 0])
    net.end(net.reshaped(x, net.pick(((1, c, 1, h * w), (1, groups, c // groups, h * w), (1, c * h, w, 1)))))


def _shuffle(net: Cells) -> None:
    x = net.feature_of(LARGEST // 4)
    _, c, h, w = net.values[x]
    groups = net.pick([g for g in (2, 4, 8) if c % g == 0])
    parted = net.reshaped(x, (1, groups, c // groups, h, w))
    turned = net.op("Transpose", [parted], (1, c // groups, groups, h, w), perm=[0, 2, 1, 3, 4])
    net.end(net.reshaped(turned, (1, c, h, w)))


def _softmax(net: Cells) -> None:
    x = net.feature_of(LARGEST // 16)
    axis = net.pick((1, 3))
    net.end(net.op("Softmax", [x], net.values[x], axis=axis) if axis == 3 else _normalised(net, x))


def _normalised(net: Cells, x: str) -> str:
    """Layer normalisation over channels, written out."""
    n, c, h, w = net.values[x]
    one = (n, 1, h, w)
    mean = net.op("ReduceMean", [x], one, axes=[1])
    centred = net.op("Sub", [x, mean], net.values[x])
    square = net.op("Mul", [centred, centred], net.values[x])
    spread = net.op("ReduceMean", [square], one, axes=[1])
    root = net.op("Sqrt", [net.op("Add", [spread, net.constant(np.array([1e-5], np.float32))], one)], one)
    scaled = net.op("Div", [centred, root], net.values[x])
    return net.op("Mul", [scaled, net.weights(1, c, 1, 1)], net.values[x])


def _attention(net: Cells) -> None:
    """Heads over the places of a feature map, as the attention blocks of detectors have them."""
    wide, heads = net.pick((32, 64, 128, 256)), net.pick((1, 2, 4, 8))
    x = net.feature_of(LARGEST // 16, wide)
    _, c, h, w = net.values[x]
    places, depth = h * w, c // heads
    if heads * places * places > LARGEST:
        return
    q, k, v = (net.reshaped(net.conv(x, c), (1, heads, depth, places)) for _ in range(3))
    turned = net.op("Transpose", [q], (1, heads, places, depth), perm=[0, 1, 3, 2])
    scores = net.op("MatMul", [turned, k], (1, heads, places, places))
    scaled = net.op("Mul", [scores, net.constant(np.array([1 / isqrt(depth)], np.float32))], net.values[scores])
    weights = net.op("Softmax", [scaled], net.values[scores], axis=3)
    back = net.op("Transpose", [weights], net.values[scores], perm=[0, 1, 3, 2])
    net.end(net.reshaped(net.op("MatMul", [v, back], (1, heads, depth, places)), (1, c, h, w)))


def _product(net: Cells) -> None:
    """A product of two computed matrices."""
    wide, parts = net.pick((16, 32, 64, 128)), net.pick((1, 2, 4))
    x = net.feature_of(LARGEST // 8, wide * parts)
    _, c, h, w = net.values[x]
    if parts * (h * w) ** 2 > LARGEST:
        return
    a = net.op("Transpose", [net.reshaped(x, (1, parts, wide, h * w))], (1, parts, h * w, wide), perm=[0, 1, 3, 2])
    b = net.reshaped(net.conv(x, c), (1, parts, wide, h * w))
    net.end(net.op("MatMul", [a, b], (1, parts, h * w, h * w)))


def _tokens(net: Cells) -> None:
    """Linear layers over tokens, as transformers have them."""
    x = net.feature_of(LARGEST // 8)
    _, c, h, w = net.values[x]
    rows = net.op("Transpose", [net.reshaped(x, (1, c, h * w))], (1, h * w, c), perm=[0, 2, 1])
    out = net.pick((c, 2 * c, 4 * c))
    if h * w * c * out > HEAVIEST // 2:
        return
    y = net.op(
        "Add", [net.op("MatMul", [rows, net.weights(c, out)], (1, h * w, out)), net.weights(out)], (1, h * w, out)
    )
    z = net.op("MatMul", [net.op("Relu", [y], (1, h * w, out)), net.weights(out, c)], (1, h * w, c))
    net.end(net.reshaped(net.op("Transpose", [z], (1, c, h * w), perm=[0, 2, 1]), (1, c, h, w)))


MENU: dict[Callable[[Cells], None], float] = {
    _dense: 28, _stem: 3, _depthwise: 14, _grouped: 5, _transposed: 3, _lookup: 5, _gate: 4, _binary: 5, _shortcut: 3,
    _excite: 3, _constant: 2, _pool: 5, _reduce: 3, _concat: 4, _slice: 3, _resize: 2, _blocks: 2, _transpose: 3,
    _reshape: 3, _shuffle: 1, _softmax: 3, _attention: 3, _product: 2, _tokens: 3,
    transformers.heads: 5, transformers.last: 4, transformers.classes: 2,
}  # fmt: skip
"""How to make each kind of cell, and how often."""


REWRITES: dict[Callable[[Cells], None], float] = {
    rewrites.spread: 3, rewrites.large: 3, rewrites.joined: 3, rewrites.parted: 2, rewrites.lines: 3,
}  # fmt: skip


KINDS: dict[str, Callable[[int], onnx.ModelProto]] = {
    "cells": network,
    "windows": window_network,
    "rewrites": rewritten_network,
    "random": random_network,
}
"""How to make a network of a seed."""


def main(arguments: list[str]) -> int:
    """Write the networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=tuple(KINDS), default="cells")
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(chosen.seed, chosen.seed + chosen.networks):
        onnx.save(KINDS[chosen.kind](seed), chosen.folder / f"{chosen.kind}_{seed:04d}.onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
