"""Values NxCxDxHxW held as Nx(DC)xHxW, depth by depth: three-dimensional convolutions as two-dimensional ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from passes.rank.region import Array, Layout, Lift, Lifted, Writer
from passes.rank.windows import Window, depths, flat, window
from passes.rank.writers import ELEMENTWISE
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.rewrite import Mismatch, Rewriter, build, need

MOST = 64
"""Layers of depth, each of which becomes nodes of its own."""


class Volume(Layout):
    """NxCxDxHxW as Nx(DC)xHxW: the channels of the first layer of depth, then of the next."""

    rank = 5

    def holds(self, tensor: Tensor, node: Node) -> None:
        """Sizes are known, and depth is bounded."""
        shape = need.static(tensor, node)
        if shape[2] > MOST:
            raise Mismatch(f"{tensor.name!r} is {shape[2]} deep, at most {MOST} layers become channels", node)

    def up(self, rw: Rewriter, value: Tensor) -> Tensor:
        """The layers side by side among the channels."""
        n, c, d, h, w = _dims(value)
        swapped = value if 1 in (c, d) else build.transpose(rw, value, (0, 2, 1, 3, 4))
        return build.reshape(rw, swapped, (n, d * c, h, w))

    def down(self, rw: Rewriter, value: Tensor, like: Value) -> Tensor:
        """The layers along an axis of their own again."""
        n, c, d, h, w = _dims(like)
        if 1 in (c, d):
            return build.reshape(rw, value, (n, c, d, h, w))
        return build.transpose(rw, build.reshape(rw, value, (n, d, c, h, w)), (0, 2, 1, 3, 4))

    def reshaped(self, rw: Rewriter, reader: Node, value: Tensor) -> Tensor | None:
        """One Reshape, where there is one layer only."""
        source, wanted = _dims(reader.inputs[0]), ops.static_shape(reader.outputs[0])
        if wanted is None or 1 not in source[1:3]:
            return None
        return value if value.shape == wanted else build.reshape(rw, value, wanted)

    def array(self, array: Array, like: Tensor) -> Array:
        """Repeated over the layers."""
        full = array.reshape((1,) * (5 - array.ndim) + array.shape)
        if full.shape[1:3] == (1, 1):
            return full[:, :, 0]
        (n, *_, h, w), (c, d) = full.shape, _dims(like)[1:3]
        wide = np.broadcast_to(full, (n, c, d, h, w))
        return np.ascontiguousarray(wide.transpose(0, 2, 1, 3, 4)).reshape(n, d * c, h, w)


def _dims(tensor: Tensor) -> tuple[int, ...]:
    return ops.static_shape(tensor) or ()


def layers(rw: Rewriter, x: Tensor, channels: int, taps: Sequence[int]) -> Tensor:
    """The layers ``taps`` of a lifted value, in order, as few slices as it takes."""
    runs: list[list[int]] = [[taps[0], taps[0] + 1]]
    for before, tap in pairwise(taps):
        if tap == before + 1:
            runs[-1][1] = tap + 1
        else:
            runs.append([tap, tap + 1])
    whole = x.shape is not None and runs == [[0, int(x.shape[1] or 0) // channels]]
    parts = [x] if whole else [build.slice_(rw, x, [1], [a * channels], [b * channels]) for a, b in runs]
    return build.concat(rw, parts, axis=1)


def _convolution(node: Node) -> None:
    """Constant weights in one group."""
    need.constant(node, 1)
    if (group := ops.attr(node, "group", 1)) != 1:
        raise Mismatch(f"has {group} groups, it must have 1", node)
    window(node)
    if any(not taps for taps in depths(node)):
        raise Mismatch("a layer of the result sees padding alone, each must see a layer of the value", node)


def _convolved(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    """A convolution per layer of the result, of the layers it sees as channels."""
    weight, x = need.constant(node, 1), lifted.get(node.inputs[0])
    inputs, attrs = weight.shape[1], {**flat(node), "group": 1}
    held: dict[tuple[int, ...], Constant] = {}
    made = []
    for taps in depths(node):
        kernel = tuple(k for k, _ in taps)
        if kernel not in held:
            cut = weight[:, :, list(kernel)].transpose(0, 2, 1, 3, 4)
            held[kernel] = lifted.rw.constant(cut.reshape(weight.shape[0], -1, *weight.shape[3:]))
        seen = layers(lifted.rw, x, inputs, [d for _, d in taps])
        made.append(lifted.rw.op("Conv", seen, held[kernel], *node.inputs[2:], **attrs))
    return [build.concat(lifted.rw, made, axis=1)]


def _pool(node: Node) -> None:
    """One result; means without padding in depth."""
    if len([v for v in node.outputs if v.name]) > 1:
        raise Mismatch(f"{node.op} gives indices, too, only the values may be read", node)
    found: Window = window(node)
    if ops.attr(node, "ceil_mode", 0):
        raise Mismatch("ceil_mode is set, so that windows may reach over the end", node)
    if node.op == "AveragePool" and any(found.pads):
        raise Mismatch(f"pads depth by {list(found.pads)}, a mean must see whole windows", node)


def _pooled(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    """Height and width of all layers at once, then the layers of each result."""
    channels = _dims(node.inputs[0])[1]
    value: Tensor = lifted.rw.op(node.op, lifted.get(node.inputs[0]), **flat(node))
    made = []
    for taps in depths(node):
        parts = [layers(lifted.rw, value, channels, [d]) for _, d in taps]
        total = parts[0]
        for part in parts[1:]:
            total = lifted.rw.op("Max" if node.op == "MaxPool" else "Add", total, part)
        mean = node.op == "AveragePool" and len(parts) > 1
        made.append(lifted.rw.op("Mul", total, lifted.rw.constant(1 / len(parts), like=total)) if mean else total)
    return [build.concat(lifted.rw, made, axis=1)]


def _any(node: Node) -> None:
    """Nothing more is asked."""


def _global(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    """The mean of each layer, then of the layers by a 1x1 convolution."""
    _, c, d, _, _ = _dims(node.inputs[0])
    means = lifted.rw.op("GlobalAveragePool", lifted.get(node.inputs[0]))
    weight = np.tile(np.eye(c) / d, (1, d)).reshape(c, d * c, 1, 1)
    attrs: dict[str, Any] = {
        "dilations": [1, 1],
        "group": 1,
        "kernel_shape": [1, 1],
        "pads": [0] * 4,
        "strides": [1, 1],
    }
    return [lifted.rw.op("Conv", means, lifted.rw.constant(weight, like=means), **attrs)]


def _parameters(node: Node) -> None:
    """Parameters per channel are constants."""
    for index in range(1, 5):
        need.constant(node, index)


def _normalised(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    depth = _dims(node.inputs[0])[2]
    held = [lifted.rw.constant(np.tile(need.constant(node, index), depth)) for index in range(1, 5)]
    return [lifted.rw.op("BatchNormalization", lifted.get(node.inputs[0]), *held, **node.attrs)]


def _joins(node: Node) -> None:
    """Values, joined along channels or depth."""
    axis = ops.axis(node, 1)
    if axis not in (1, 2) or any(isinstance(t, Constant) for t in node.inputs):
        raise Mismatch(f"joins along axis {axis}, values must be joined along channels or depth", node)


def _joined(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    parts = [lifted.get(t) for t in node.inputs]
    if ops.axis(node, 1) == 1 and (depth := _dims(node.outputs[0])[2]) > 1:
        widths = [_dims(t)[1] for t in node.inputs]
        parts = [layers(lifted.rw, p, c, [d]) for d in range(depth) for p, c in zip(parts, widths, strict=True)]
    return [build.concat(lifted.rw, parts, axis=1)]


Volume.writers = {
    **ELEMENTWISE,
    "Conv": Writer(_convolution, _convolved),
    "BatchNormalization": Writer(_parameters, _normalised),
    "Concat": Writer(_joins, _joined),
    "GlobalAveragePool": Writer(_any, _global),
    **dict.fromkeys(("AveragePool", "MaxPool"), Writer(_pool, _pooled)),
}


class LiftVolumes(Lift):
    """A network of NxCxDxHxW ``->`` one of Nx(DC)xHxW: Conv3d becomes a Conv2d per layer of its result.

    Each convolves the layers that the kernel sees, as channels. Poolings, means, normalisations, Concat and
    elementwise operators that are connected come along. Rounding: a kernel may add up in another order.
    """

    name = "lift-volumes"
    roots = frozenset({"AveragePool", "Conv", "GlobalAveragePool", "MaxPool"})
    cures = frozenset({"Conv.*", "AveragePool.rank", "GlobalAveragePool.rank", "MaxPool.rank"})
    layout = Volume()
