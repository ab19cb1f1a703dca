"""Cells of transformers, as they are exported: heads, blocks that work channels last, ends of classifiers."""

from __future__ import annotations

import numpy as np
from cost_cells import HEAVIEST, LARGEST, Cells
from random_networks import Shape

ROWS = 1 << 17
"""Elements of the rows that attention is over."""


def heads(net: Cells) -> None:
    """Queries, keys and values of one linear layer, as transformers are exported; attention over places or channels."""
    heads, depth = net.pick((1, 2, 4, 8, 12, 16)), net.pick((12, 16, 32, 32, 64))
    c = heads * depth
    x = net.feature_of(LARGEST // 16, c)
    _, _, h, w = net.values[x]
    places, across = h * w, net.chance(0.3)
    if places * c > ROWS or (not across and heads * places**2 > LARGEST):
        return
    rows = net.op("Transpose", [net.reshaped(x, (1, c, places))], (1, places, c), perm=[0, 2, 1])
    q, k, v = _cut_apart(net, _linear(net, rows, 3 * c), (places, heads, depth), across=across)
    if across:
        q, k = (_unit(net, side) for side in (q, k))
    back = net.op("Transpose", [k], _swapped(net.values[k]), perm=[0, 1, 3, 2])
    scores = net.op("MatMul", [q, back], (*net.values[q][:3], net.values[q][2]))
    made = net.op("MatMul", [net.op("Softmax", [scores], net.values[scores], axis=3), v], net.values[v])
    perm = [0, 3, 1, 2] if across else [0, 2, 1, 3]
    joined = net.reshaped(net.op("Transpose", [made], (1, places, heads, depth), perm=perm), (1, places, c))
    _as_map(net, _linear(net, joined, c), (1, c, h, w))


def windows(net: Cells) -> None:
    """A map as a batch of its windows, channels first or last on the way, and a map of these again."""
    side = net.pick((4, 7, 8))
    c, high, wide = net.pick((32, 64, 96, 128, 192, 256)), net.pick((2, 2, 3, 4, 8)), net.pick((2, 2, 3, 4, 8))
    if c * high * wide * side**2 > LARGEST // 8:
        return
    count, h, w = high * wide, high * side, wide * side
    x = net.conv(net.input((1, 16, h, w)), c)
    parted = net.reshaped(x, (1, c, high, side, wide, side))
    if net.chance(0.5):
        turned = net.op("Transpose", [parted], (1, high, wide, c, side, side), perm=[0, 2, 4, 1, 3, 5])
        each = net.reshaped(turned, (count, c, side, side))
    else:
        turned = net.op("Transpose", [parted], (1, high, wide, side, side, c), perm=[0, 2, 4, 3, 5, 1])
        each = net.reshaped(turned, (count, side, side, c))
        each = net.op("Transpose", [each], (count, c, side, side), perm=[0, 3, 1, 2])
    back = net.reshaped(net.conv(each, c), (1, high, wide, c, side, side))
    whole = net.op("Transpose", [back], (1, c, high, side, wide, side), perm=[0, 3, 1, 4, 2, 5])
    net.end(net.reshaped(whole, (1, c, h, w)))


def _swapped(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def _linear(net: Cells, rows: str, out: int) -> str:
    """A linear layer over rows, as the exporters write it: a product of three axes, or a Gemm between Reshapes."""
    n, places, c = net.values[rows]
    if net.chance(0.5):
        return net.op("MatMul", [rows, net.weights(c, out)], (n, places, out))
    flat = net.reshaped(rows, (places, c))
    made = net.op("Gemm", [flat, net.weights(c, out), net.weights(out)], (places, out))
    return net.reshaped(made, (n, places, out))


def _cut_apart(net: Cells, y: str, shape: Shape, *, across: bool) -> tuple[str, ...]:
    """Queries, keys and values, 1 x heads x places x depth, or the last two turned: of five axes, or of four."""
    places, heads, depth = shape
    last = (depth, places) if across else (places, depth)
    if across or net.chance(0.6):
        perm = [2, 0, 3, 4, 1] if across else [2, 0, 3, 1, 4]
        parted = net.reshaped(y, (1, places, 3, heads, depth))
        turned = net.op("Transpose", [parted], (3, 1, heads, *last), perm=perm)
        numbers = (net.constant(np.array(i, np.int64)) for i in range(3))
        return tuple(net.op("Gather", [turned, number], (1, heads, *last), axis=0) for number in numbers)
    parted = net.reshaped(y, (1, places, heads, 3 * depth))
    turned = net.op("Transpose", [parted], (1, heads, places, 3 * depth), perm=[0, 2, 1, 3])
    cuts = ((net.ints(i * depth), net.ints((i + 1) * depth)) for i in range(3))
    return tuple(net.op("Slice", [turned, *cut, net.ints(3)], (1, heads, *last)) for cut in cuts)


def _unit(net: Cells, x: str) -> str:
    """Rows of length one."""
    shape = net.values[x]
    length = net.op("ReduceL2", [x], (*shape[:-1], 1), axes=[len(shape) - 1])
    return net.op("Div", [x, length], shape)


def _as_map(net: Cells, rows: str, shape: Shape) -> None:
    n, c, h, w = shape
    turned = net.op("Transpose", [rows], (n, c, h * w), perm=[0, 2, 1])
    net.end(net.reshaped(turned, shape))


def last(net: Cells) -> None:
    """A block that works channels last, as ConvNeXt has it, and its shortcut."""
    x = net.feature_of(LARGEST // 16)
    n, c, h, w = net.values[x]
    wide = net.pick((2, 4)) * c
    if h * w * c * wide > HEAVIEST // 4:
        return
    mapped = net.conv(x, c, (7, 7), 1, c)
    turned = net.op("Transpose", [mapped], (n, h, w, c), perm=[0, 2, 3, 1])
    y = _normalised_last(net, turned)
    rows = _linear(net, net.reshaped(y, (n, h * w, c)), wide)
    out = net.reshaped(_linear(net, _gelu(net, rows), c), (n, h, w, c))
    if net.chance(0.5):
        out = net.op("Mul", [out, net.weights(c)], (n, h, w, c))
    back = net.op("Transpose", [out], (n, c, h, w), perm=[0, 3, 1, 2])
    net.end(net.op("Add", [x, back], (n, c, h, w)))


def _normalised_last(net: Cells, x: str) -> str:
    """Layer normalisation over the last axis, written out as the exporters do."""
    shape = net.values[x]
    one, axes = (*shape[:-1], 1), [len(shape) - 1]
    centred = net.op("Sub", [x, net.op("ReduceMean", [x], one, axes=axes)], shape)
    square = net.op("Pow", [centred, net.constant(np.array(2, np.float32))], shape)
    spread = net.op("ReduceMean", [square], one, axes=axes)
    root = net.op("Sqrt", [net.op("Add", [spread, net.constant(np.array([1e-5], np.float32))], one)], one)
    scaled = net.op("Div", [centred, root], shape)
    if net.chance(0.5):
        return scaled
    c = shape[-1]
    return net.op("Add", [net.op("Mul", [scaled, net.weights(c)], shape), net.weights(c)], shape)


def _gelu(net: Cells, x: str) -> str:
    shape = net.values[x]

    def number(value: float) -> str:
        return net.constant(np.array(value, np.float32))

    erf = net.op("Erf", [net.op("Div", [x, number(2**0.5)], shape)], shape)
    half = net.op("Mul", [x, net.op("Add", [erf, number(1.0)], shape)], shape)
    return net.op("Mul", [half, number(0.5)], shape)


def classes(net: Cells) -> None:
    """The end of a classifier."""
    x = net.feature_of(LARGEST // 8)
    _, c, _, _ = net.values[x]
    pooled = net.reshaped(net.op("GlobalAveragePool", [x], (1, c, 1, 1)), (1, c))
    out = net.pick((10, 100, 400, 1000))
    a, b = (net.op("Gemm", [pooled, net.weights(c, out), net.weights(out)], (1, out)) for _ in range(2))
    both = net.op("Add", [a, b], (1, out))
    net.op(net.pick(("Mul", "Div")), [both, net.constant(np.array(2, np.float32))], (1, out))
