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


class Side(NamedTuple):
    """One size of a layer on the dense engine, and the multiple it is rounded up to."""

    what: str
    size: int
    step: int

    @property
    def aligned(self) -> int:
        """The size as the engine works on it.

        >>> Side("width", 20, 16).aligned
        32
        """
        return -(-self.size // self.step) * self.step


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


def dense(node: Node, align: Alignment) -> tuple[int, tuple[Side, ...]]:
    """Multiply-accumulates of a layer on the dense engine: what is not rounded, and the sides that are."""
    if node.op in ("Gemm", "MatMul"):
        return _matrix(node, align)
    return _convolution(node, align)


def _dense(node: Node, align: Alignment) -> int:
    rest, sides = dense(node, align)
    return rest * prod(side.aligned for side in sides)


def _matrix(node: Node, align: Alignment) -> tuple[int, tuple[Side, ...]]:
    weight = next(t for t in reversed(node.inputs[:2]) if is_weight(t))
    columns = _columns(node, weight)
    inner = elements(weight) // max(1, columns)
    if len(_dims(weight)) > 2:
        inner = _dims(node.inputs[0])[-1]
    rows = elements(node.outputs[0]) // max(1, columns)
    return rows, (
        Side("input features", inner, align.in_channels),
        Side("output features", columns, align.out_channels),
    )


def _columns(node: Node, weight: Tensor) -> int:
    """Output features: the size of the weight that is not summed over, 1 for a vector."""
    dims, right = _dims(weight), weight is node.inputs[1]
    turned = bool(node.attrs.get("transB" if right else "transA", 0))
    if len(dims) < 2:
        return 1
    return dims[-1] if right != turned else dims[-2]


def _convolution(node: Node, align: Alignment) -> tuple[int, tuple[Side, ...]]:
    weight, group = _dims(filters(node)), int(node.attrs.get("group", 1))
    grid = _dims(node.inputs[0] if node.op == "ConvTranspose" else node.outputs[0])
    first, second = weight[0], weight[1]
    inputs, outputs = (first // group, second) if node.op == "ConvTranspose" else (second, first // group)
    step = align.stem_in_channels if feeder(node.inputs[0], alone=False) is None else align.in_channels
    each = " per group" if group > 1 else ""
    channels = (
        Side(f"input channels{each}", inputs, step),
        Side(f"output channels{each}", outputs, align.out_channels),
    )
    rest, area = _area(grid, align)
    return grid[0] * group * rest * prod(weight[2:]), (*channels, *area)


def _area(grid: tuple[int, ...], align: Alignment) -> tuple[int, tuple[Side, ...]]:
    """The positions of a convolution: its height is rounded where it has one, its width always."""
    width = Side("width", grid[-1], align.width)
    if len(grid) < 4:
        return prod(grid[2:-1]), (width,)
    return prod(grid[2:-2]), (Side("height", grid[-2], align.height), width)
