"""Convolutions and matrix products as layers: how their channels lie, and how to cut a piece out of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from passes.clamp.plan import Piece, Work
from surgery.ir import Constant, Node, Tensor, Value
from surgery.ir.ops import attr
from surgery.rewrite import Mismatch, Rewriter, need

Cut: TypeAlias = "tuple[slice, ...]"


@dataclass(frozen=True)
class Layer:
    """A node that multiplies channels by a constant weight.

    Attributes:
        node: Conv, ConvTranspose, Gemm or MatMul.
        work: groups, and the channels of each.
        in_axis: axis of the channels of input 0.
        out_axis: axis of the channels of the output.
        weight_axes: axes of the weight along which inputs and outputs lie; one alone for a vector.
    """

    node: Node
    work: Work
    in_axis: int
    out_axis: int
    weight_axes: tuple[int, ...]

    @property
    def x(self) -> Tensor:
        """What it multiplies."""
        return self.node.inputs[0]

    @property
    def y(self) -> Value:
        """What it computes."""
        return self.node.outputs[0]

    @property
    def weight(self) -> Constant:
        """Input 1."""
        weight = self.node.inputs[1]
        assert isinstance(weight, Constant)
        return weight

    @property
    def bias(self) -> Tensor | None:
        """What is added once, with the channels last: input 2."""
        return self.node.input(2)

    def weight_cut(self, piece: Piece) -> Cut:
        """Where the weight of ``piece`` lies; groups follow each other along its first axis."""
        inputs, outputs = _slice(piece.inputs), _slice(piece.outputs)
        if self.node.op == "ConvTranspose":
            inputs = _absolute(piece, piece.inputs, self.work.inputs)
        else:
            outputs = _absolute(piece, piece.outputs, self.work.outputs)
        where = dict(zip(self.weight_axes, (inputs, outputs), strict=False))
        return tuple(where.get(axis, slice(None)) for axis in range(self.weight.rank))

    def bias_cut(self, piece: Piece) -> Cut | None:
        """Where the bias of ``piece`` lies; None where it is read whole."""
        bias, outputs = self.bias, _absolute(piece, piece.outputs, self.work.outputs)
        total = self.work.groups * self.work.outputs
        if bias is None or not bias.shape or bias.shape[-1] != total or outputs == slice(0, total):
            return None
        return (..., outputs)  # type: ignore[return-value]

    def attrs(self, piece: Piece) -> dict[str, Any]:
        """The attributes of ``piece``; dilations are written down, which one toolchain needs (see StateDilations)."""
        if self.node.op not in ("Conv", "ConvTranspose"):
            return self.node.attrs
        ones = [1] * (self.weight.rank - 2)
        return {"dilations": ones, **self.node.attrs, "group": piece.groups}


def read(node: Node) -> Layer:
    """The layer at ``node``; raises Mismatch where its weight is computed or its channels cannot be told."""
    weight = need.present(node, 1)
    if not isinstance(weight, Constant):
        raise Mismatch(f"the weight {weight.name!r} is computed, only a constant one can be cut", node)
    layer = _READ[node.op](node, weight)
    bias = layer.bias
    if bias is not None and bias.shape is None:
        raise Mismatch(f"the bias {bias.name!r} has no known shape", node)
    return layer


def multiply(rw: Rewriter, layer: Layer, piece: Piece, x: Tensor, *, first: bool, heir: bool) -> Value:
    """The product of ``piece`` with the part ``x`` of the input; the bias comes with the first of a sum."""
    weight = _part(rw, layer.weight, layer.weight_cut(piece))
    bias = _bias(rw, layer, piece) if first else _no_bias(rw, layer, piece)
    inputs = [x, weight] if bias is None else [x, weight, bias]
    return rw.op(layer.node.op, *inputs, heir=layer.node if heir else None, **layer.attrs(piece))


def add(rw: Rewriter, terms: list[Value]) -> Value:
    """The sum of ``terms``, added in a balanced tree."""
    while len(terms) > 1:
        pairs = [rw.op("Add", a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


def _bias(rw: Rewriter, layer: Layer, piece: Piece) -> Tensor | None:
    bias, cut = layer.bias, layer.bias_cut(piece)
    if bias is None or cut is None:
        return bias
    assert isinstance(bias, Constant)
    return _part(rw, bias, cut)


def _no_bias(rw: Rewriter, layer: Layer, piece: Piece) -> Constant | None:
    """Nothing, or where Gemm needs its third input (before opset 11) a zero."""
    if layer.node.op != "Gemm" or rw.opset >= 11:
        return None
    return rw.constant(np.zeros(len(piece.outputs)), like=layer.weight)


def _part(rw: Rewriter, tensor: Constant, cut: Cut) -> Constant:
    part = tensor.values[cut]
    return tensor if part.shape == tensor.shape else rw.constant(part, name=f"{tensor.name}/part")


def _conv(node: Node, weight: Constant) -> Layer:
    need.rank(node.inputs[0], node)
    groups = int(attr(node, "group", 1))
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    return Layer(node, Work(groups, inputs, outputs), 1, 1, (1, 0))


def _conv_transpose(node: Node, weight: Constant) -> Layer:
    need.rank(node.inputs[0], node)
    groups = int(attr(node, "group", 1))
    return Layer(node, Work(groups, weight.shape[0] // groups, weight.shape[1]), 1, 1, (0, 1))


def _gemm(node: Node, weight: Constant) -> Layer:
    need.rank(node.inputs[0], node, 2)
    axes = (1, 0) if attr(node, "transB", 0) else (0, 1)
    inner, columns = (weight.shape[axis] for axis in axes)
    return Layer(node, Work(1, inner, columns), 0 if attr(node, "transA", 0) else 1, 1, axes)


def _matmul(node: Node, weight: Constant) -> Layer:
    rank, own = need.rank(node.inputs[0], node), weight.rank
    axes = (own - 2, own - 1) if own > 1 else (0,)
    columns = weight.shape[-1] if own > 1 else 1
    out_rank = max(rank, own) - (rank == 1) - (own == 1)
    return Layer(node, Work(1, weight.shape[axes[0]], columns), rank - 1, out_rank - 1, axes)


_READ: dict[str, Callable[[Node, Constant], Layer]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
OPS = frozenset(_READ)
"""The operators that are layers."""


def _absolute(piece: Piece, channels: range, per_group: int) -> slice:
    """The channels of ``piece`` counted over all groups."""
    last = piece.group + piece.groups - 1
    return slice(piece.group * per_group + channels.start, last * per_group + channels.stop)


def _slice(channels: range) -> slice:
    return slice(channels.start, channels.stop)
