"""Normalisations, written so that they stay on the BPU: means by pooling, by one axis, or by 1x1 convolutions.

All compute the mean first and square what is left of it, so that a large offset costs no digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.arithmetic import depthwise, pointwise
from passes.substitute.base import Substitution, one_output, plus, spread, squared, times, wide
from passes.substitute.reductions import channels
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

Array = np.ndarray[Any, Any]
WIDEST = 512
"""The longest axis that is averaged by a product: its matrix then takes 1 MiB."""


@dataclass(frozen=True)
class Normalised:
    """A normalisation over ``axes``: of what, with which epsilon, and the gain and bias behind it."""

    node: Node
    x: Tensor
    axes: tuple[int, ...]
    epsilon: float
    gain: Array | None
    bias: Array | None


def _scaled(rw: Rewriter, x: Tensor, gain: Array | None, bias: Array | None) -> Tensor:
    value = x if gain is None else times(rw, x, gain)
    return value if bias is None else plus(rw, value, bias)


def _epsilon(node: Node) -> float:
    return float(ops.attr(node, "epsilon", 1e-5))


def _operand(node: Node, index: int) -> Array | None:
    return None if node.input(index) is None else need.constant(node, index)


def _layer(node: Node) -> Normalised:
    """What LayerNormalization and RMSNormalization share: the axes from ``axis`` on, constant gain and bias."""
    x = wide(node)
    rank = need.rank(x, node)
    gain, bias = need.constant(node, 1), _operand(node, 2)
    axes = tuple(range(ops.axis(node, -1), rank))
    return Normalised(node, x, axes, _epsilon(node), spread(gain, rank), None if bias is None else spread(bias, rank))


class LayerNormalization(Substitution[Normalised]):
    """``LayerNormalization(x) -> d / Sqrt(ReduceMean(d^2) + epsilon) * gain + bias`` with ``d = x - ReduceMean(x)``.

    Its definition. Gain and bias take the rank of x: of lower rank they crash the vendor's compiler.
    """

    name, roots = "layer-normalization", frozenset({"LayerNormalization"})

    def match(self, node: Node, ctx: Context) -> Normalised:
        """Nothing is read but the first output."""
        one_output(node, "the mean or deviation")
        return _layer(node)

    def build(self, match: Normalised, rw: Rewriter) -> Tensor:
        """Nine nodes at most."""
        rest = rw.op("Sub", match.x, build.reduce(rw, "ReduceMean", match.x, match.axes))
        return _scaled(rw, _unit(rw, rest, match), match.gain, match.bias)


class LayerNormByProducts(Substitution[Normalised]):
    """``LayerNormalization(x) -> d * Reciprocal(Sqrt(MatMul(d^2, 1/C) + epsilon)) * gain + bias``, last axis of rank 4.

    With ``d = x + MatMul(x, -1/C)``: a product by a matrix of equal numbers gives the mean in every place, so that
    nothing is stretched. For X3, which neither reduces the last axis nor subtracts. Equal weights stay equal in int8.
    """

    name, roots = "layer-norm-by-products", frozenset({"LayerNormalization"})

    def match(self, node: Node, ctx: Context) -> Normalised:
        """The last axis alone, of known size."""
        one_output(node, "the mean or deviation")
        found = _layer(node)
        need.rank(found.x, node, 4)
        size = (found.x.shape or (None,))[-1]
        if found.axes != (3,) or not isinstance(size, int) or size > WIDEST:
            raise Mismatch(
                f"axes {list(found.axes)}, the last of size {size}: it must be alone, at most {WIDEST}", node
            )
        return found

    def build(self, match: Normalised, rw: Rewriter) -> Tensor:
        """Ten nodes at most."""
        x = match.x
        rest = rw.op("Add", x, rw.op("MatMul", x, _mean_matrix(rw, x, -1.0)))
        variance = rw.op("MatMul", squared(rw, rest), _mean_matrix(rw, x, 1.0))
        root = rw.op("Sqrt", plus(rw, variance, match.epsilon))
        return _scaled(rw, rw.op("Mul", rest, rw.op("Reciprocal", root)), match.gain, match.bias)


def _mean_matrix(rw: Rewriter, x: Tensor, sign: float) -> Constant:
    """CxC of ``sign / C`` for the last axis of ``x``."""
    size = (x.shape or ())[-1]
    assert isinstance(size, int)
    return rw.constant(np.full((size, size), sign / size), like=x)


class RMSNormalization(Substitution[Normalised]):
    """``RMSNormalization(x) -> x / Sqrt(ReduceMean(x^2) + epsilon) * gain``, its definition."""

    name, roots = "rms-normalization", frozenset({"RMSNormalization"})

    def match(self, node: Node, ctx: Context) -> Normalised:
        """A wide operand and a constant gain."""
        return _layer(node)

    def build(self, match: Normalised, rw: Rewriter) -> Tensor:
        """Six nodes."""
        return _scaled(rw, _unit(rw, match.x, match), match.gain, None)


def _unit(rw: Rewriter, rest: Tensor, match: Normalised) -> Value:
    """``rest`` over the root of its mean square."""
    mean = build.reduce(rw, "ReduceMean", squared(rw, rest), match.axes)
    return rw.op("Div", rest, rw.op("Sqrt", plus(rw, mean, match.epsilon)))


class MeanVarianceNormalization(Substitution[Normalised]):
    """``MeanVarianceNormalization(x) -> d / (Sqrt(ReduceMean(d^2)) + 1e-9)`` with ``d = x - ReduceMean(x)``."""

    name, roots = "mean-variance-normalization", frozenset({"MeanVarianceNormalization"})

    def match(self, node: Node, ctx: Context) -> Normalised:
        """Axes of size 1 are dropped, the batch among them."""
        x = wide(node)
        rank = need.rank(x, node)
        given = [a % rank for a in ops.attr(node, "axes", [0, 2, 3])]
        axes = tuple(a for a in sorted(set(given)) if (x.shape or ())[a] != 1)
        if not axes:
            raise Mismatch(f"the axes {given} all have size 1, one must be longer", node)
        return Normalised(node, x, axes, 1e-9, None, None)

    def build(self, match: Normalised, rw: Rewriter) -> Tensor:
        """Seven nodes."""
        rest = rw.op("Sub", match.x, build.reduce(rw, "ReduceMean", match.x, match.axes))
        root = rw.op("Sqrt", build.reduce(rw, "ReduceMean", squared(rw, rest), match.axes))
        return rw.op("Div", rest, plus(rw, root, match.epsilon))


@dataclass(frozen=True)
class Grouped:
    """A normalisation of an NxCxHxW value over height, width and the channels of each group."""

    node: Node
    x: Tensor
    channels: int
    groups: int
    epsilon: float
    gain: Array
    bias: Array


class GroupNormalization(Substitution[Grouped]):
    """``GroupNormalization(x) -> Conv(d * Reciprocal(Sqrt(v)))`` for NxCxHxW; InstanceNormalization alike.

    ``d = x + Conv(ReduceMean<axes=[2, 3]>(x))`` and ``v = Conv(ReduceMean<axes=[2, 3]>(d^2))``: a mean per channel by
    pooling, then over the channels of a group by a 1x1 convolution of as many groups, which gives it back per
    channel (its sign turned in the first, epsilon its bias in the second). No Reshape is needed, whose layout
    costs more than all the rest. Gain and bias are a depthwise convolution: as a product and a sum before another
    convolution they crash the vendor's compiler. Before opset 21 they are per group.
    """

    name, roots = "group-normalization", frozenset({"GroupNormalization", "InstanceNormalization"})

    def match(self, node: Node, ctx: Context) -> Grouped:
        """A wide NxCxHxW value of known channels, constant gain and bias."""
        x = wide(node)
        need.rank(x, node, 4)
        count = channels(x, node)
        groups = int(ops.attr(node, "num_groups", count))
        if count % groups:
            raise Mismatch(f"{count} channels are not {groups} equal groups", node)
        given = groups if node.op == "GroupNormalization" and ctx.opset < 21 else count
        gain, bias = (_each(need.constant(node, i), given, count, node) for i in (1, 2))
        return Grouped(node, x, count, groups, _epsilon(node), gain, bias)

    def build(self, match: Grouped, rw: Rewriter) -> Tensor:
        """Ten nodes."""
        mean = build.reduce(rw, "ReduceMean", match.x, (2, 3))
        rest = rw.op("Add", match.x, _over_group(rw, mean, match, -1.0, None))
        square = build.reduce(rw, "ReduceMean", squared(rw, rest), (2, 3))
        root = rw.op("Sqrt", _over_group(rw, square, match, 1.0, match.epsilon))
        unit = rw.op("Mul", rest, rw.op("Reciprocal", root))
        return depthwise(rw, unit, match.gain, match.bias)


def _each(array: Array, given: int, count: int, node: Node) -> Array:
    """One number for each of ``count`` channels, of ``given`` numbers."""
    if array.size != given:
        raise Mismatch(f"gain or bias holds {array.size} numbers, it must hold {given}", node)
    return np.repeat(array, count // given)


def _over_group(rw: Rewriter, x: Tensor, match: Grouped, sign: float, term: float | None) -> Tensor:
    """Mean over the channels of a group, in every channel of it, times ``sign``, plus ``term``."""
    share = match.channels // match.groups
    weight = np.full((match.channels, share, 1, 1), sign / share)
    bias = None if term is None else rw.constant(np.full(match.channels, term), like=x)
    return pointwise(rw, x, rw.constant(weight, like=x), bias, group=match.groups)
