"""How much work a node is: multiply-accumulates after alignment, bytes of int8, traffic with memory."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from surgery.cost.coefficients import Alignment
from surgery.cost.kinds import Kind
from surgery.cost.links import features, feeder, filters, is_weight
from surgery.ir.graph import Node, Tensor


class NotStatic(Exception):
    """The work depends on a dim that is not known; the message names it."""


class Traffic(NamedTuple):
    """Bytes between the BPU and memory: weights and inputs read, outputs written, and what the model counts extra."""

    read: int
    written: int


def elements(tensor: Tensor) -> int:
    """Number of elements; NotStatic, naming the dim, when a dim is symbolic or the rank unknown."""
    if tensor.shape is None:
        raise NotStatic(f"the shape of {tensor.name!r} is not known")
    count = 1
    for axis, size in enumerate(tensor.shape):
        if not isinstance(size, int):
            raise NotStatic(f"{f'dim {size!r}' if size else f'dim {axis}'} of {tensor.name!r} is symbolic")
        count *= size
    return count


def amount(node: Node, kind: Kind, align: Alignment) -> float:
    """The work in the unit of the kind's coefficient: GMAC, or MB of int8 read, written or both."""
    if kind is Kind.DENSE:
        return _dense(node, align) * 1e-9
    if kind is Kind.DEPTHWISE or kind is Kind.MATMUL:
        return _plain(node) * 1e-9
    if kind is Kind.REDUCE:
        return _read(node) * 1e-6
    if kind is Kind.ELEMENTWISE:
        return (_read(node) + elements(node.outputs[0])) * 1e-6
    return sum(elements(t) for t in node.outputs if t.name) * 1e-6


def slices(node: Node) -> int:
    """Batch slices of a MatMul: the product of the output's dims but the last two."""
    return elements(node.outputs[0]) // max(1, prod(_dims(node.outputs[0])[-2:]))


def weight_bytes(node: Node) -> int:
    """Bytes of the weights of a node as int8."""
    if node.op not in _WEIGHTED:
        return 0
    operands = [filters(node)] if node.op in _SPILLING else node.inputs[:2]
    return sum(elements(t) for t in operands if is_weight(t))


def spilled(node: Node, threshold: float) -> Traffic:
    """What a convolution moves through memory because it does not fit on the chip."""
    if node.op not in _SPILLING:
        return Traffic(0, 0)
    read, written = elements(node.inputs[0]), elements(node.outputs[0])
    return Traffic(read, written) if read + written > threshold else Traffic(0, 0)


def leaves(node: Node) -> bool:
    """Whether an output of the node is one of its graph."""
    graph = node.graph
    return graph is not None and any(graph.is_output(t) for t in node.outputs)


_SPILLING = frozenset({"Conv", "ConvTranspose", "ConvInteger", "QLinearConv"})
_WEIGHTED = _SPILLING | {"Gemm", "MatMul"}


def _dims(tensor: Tensor) -> tuple[int, ...]:
    elements(tensor)
    return tuple(d for d in tensor.shape or () if isinstance(d, int))


def _read(node: Node) -> int:
    return sum(elements(t) for t in features(node))


def _plain(node: Node) -> int:
    """Multiply-accumulates as they are: output elements times the length of one dot product."""
    out = elements(node.outputs[0])
    if node.op == "MatMul":
        return out * _dims(node.inputs[0])[-1]
    weight = _dims(filters(node))
    over = elements(node.inputs[0]) if node.op == "ConvTranspose" else out
    return over * prod(weight[1:])


def _dense(node: Node, align: Alignment) -> int:
    return _matrix(node, align) if node.op in ("Gemm", "MatMul") else _convolution(node, align)


def _matrix(node: Node, align: Alignment) -> int:
    out = _dims(node.outputs[0])
    weight = next(t for t in reversed(node.inputs[:2]) if is_weight(t))
    columns = out[-1] if weight is node.inputs[1] else out[-2]
    inner = elements(weight) // max(1, columns)
    if len(_dims(weight)) > 2:
        inner = _dims(node.inputs[0])[-1]
    rows = elements(node.outputs[0]) // max(1, columns)
    return rows * _up(inner, align.in_channels) * _up(columns, align.out_channels)


def _convolution(node: Node, align: Alignment) -> int:
    weight, group = _dims(filters(node)), int(node.attrs.get("group", 1))
    grid = _dims(node.inputs[0] if node.op == "ConvTranspose" else node.outputs[0])
    first, second = weight[0], weight[1]
    inputs, outputs = (first // group, second) if node.op == "ConvTranspose" else (second, first // group)
    step = align.stem_in_channels if feeder(node.inputs[0], alone=False) is None else align.in_channels
    area = _up(grid[-1], align.width) * prod(grid[2:-1]) if len(grid) < 4 else _area(grid, align)
    return grid[0] * group * _up(inputs, step) * _up(outputs, align.out_channels) * area * prod(weight[2:])


def _area(grid: tuple[int, ...], align: Alignment) -> int:
    return prod(grid[2:-2]) * _up(grid[-2], align.height) * _up(grid[-1], align.width)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
