"""Normalisations, written so that they stay on the BPU: means by pooling, by one axis, or by 1x1 convolutions.

All compute the mean first and square what is left of it, so that a large offset costs no digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.arithmetic import depthwise, pointwise
from passes.substitute.base import Substitution, plus, squared, wide
from passes.substitute.reductions import channels
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Purpose, Rewriter, build, need

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Centred:
    """A normalisation over ``axes``."""

    node: Node
    x: Tensor
    axes: tuple[int, ...]


class MeanVarianceNormalization(Substitution[Centred]):
    """``MeanVarianceNormalization(x) -> d / (Sqrt(ReduceMean(d^2)) + 1e-9)`` with ``d = x - ReduceMean(x)``."""

    name, roots = "mean-variance-normalization", frozenset({"MeanVarianceNormalization"})

    def match(self, node: Node, ctx: Context) -> Centred:
        """Axes of size 1 are dropped, the batch among them."""
        x = wide(node)
        rank = need.rank(x, node)
        given = [a % rank for a in ops.attr(node, "axes", [0, 2, 3])]
        axes = tuple(a for a in sorted(set(given)) if (x.shape or ())[a] != 1)
        if not axes:
            raise Mismatch(f"the axes {given} all have size 1, one must be longer", node)
        return Centred(node, x, axes)

    def build(self, match: Centred, rw: Rewriter) -> Tensor:
        """Seven nodes."""
        rest = rw.op("Sub", match.x, build.reduce(rw, "ReduceMean", match.x, match.axes))
        root = rw.op("Sqrt", build.reduce(rw, "ReduceMean", squared(rw, rest), match.axes))
        return rw.op("Div", rest, plus(rw, root, 1e-9))


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
        return Grouped(node, x, count, groups, float(ops.attr(node, "epsilon", 1e-5)), gain, bias)

    def build(self, match: Grouped, rw: Rewriter) -> Tensor:
        """Ten nodes."""
        return _normalised(match, rw)


@dataclass(frozen=True)
class Reshaped(Grouped):
    """A group normalisation, as the instance normalisation ``node`` between a Reshape and the one back, ``last``."""

    last: Node


class ReshapedGroupNorm(Substitution[Reshaped]):
    """``Reshape(InstanceNormalization(Reshape(x)))``, as exporters write GroupNormalization, without the Reshapes.

    For NxCxHxW held as NxGx(C/G*H*W): the same nodes as for GroupNormalization.
    """

    name, roots = "reshaped-group-norm", frozenset({"InstanceNormalization"})
    limits = ("row",)

    def match(self, node: Node, ctx: Context) -> Reshaped:
        """Nothing else reads what is between the Reshapes, the second gives the shape before the first."""
        first, last = need.producer(node, 0, "Reshape", ctx=ctx), need.consumer(node, "Reshape", ctx=ctx)
        x = wide(first)
        shape, grouped = need.static(x, node), need.static(node.inputs[0], node)
        if len(shape) != 4 or len(grouped) != 3 or need.static(last.outputs[0], node) != shape:
            raise Mismatch(
                f"{shape} becomes {grouped}, it must be NxCxHxW before and after, and three dims between", node
            )
        count, groups = shape[1], grouped[1]
        if grouped[0] != shape[0] or count % groups or first.graph is not last.graph:
            raise Mismatch(f"{count} channels are not {groups} equal groups", node)
        gain, bias = (_each(need.constant(node, i), groups, count, node) for i in (1, 2))
        return Reshaped(node, x, count, groups, float(ops.attr(node, "epsilon", 1e-5)), gain, bias, last)

    def build(self, match: Reshaped, rw: Rewriter) -> Tensor:
        """Ten nodes."""
        return _normalised(match, rw)

    def rewrite(self, match: Reshaped, rw: Rewriter) -> None:
        """In the place of the second Reshape."""
        rw.replace(match.last, self.build(match, rw))


class GroupNormOfMaps(ReshapedGroupNorm):
    """``Reshape(InstanceNormalization(Reshape(x)))`` without the Reshapes, where the BPU has them but is slower.

    The Reshapes turn single elements: compiled for bayes-e, 64 channels at 28x28 in 32 groups take 2.3 ms between
    them and 38 us without (``scripts/norm_choices.py``). Rows longer than the BPU takes are for
    :class:`ReshapedGroupNorm`.
    """

    name = "group-norm-of-maps"
    purpose, cures = Purpose.ACCELERATE, frozenset()

    def match(self, node: Node, ctx: Context) -> Reshaped:
        """On the BPU; the rest is as for the other."""
        if ctx.device(node) != "bpu":
            raise Mismatch("does not run on the BPU", node, absent=True)
        return super().match(node, ctx)


def _normalised(match: Grouped, rw: Rewriter) -> Tensor:
    """The mean taken off, over the root of the variance, times gain, plus bias."""
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
