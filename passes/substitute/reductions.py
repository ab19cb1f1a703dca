"""Reductions: axes in the order and number that a march takes, and what is no sum, mean or maximum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.substitute.arithmetic import pointwise
from passes.substitute.base import (
    Substitution,
    TextSubstitution,
    floats,
    keeps_dims,
    reduced_axes,
    squared,
    times,
    wide,
)
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, build, need


@dataclass(frozen=True)
class Reduced:
    """A reduction of a float value: its axes from the front, and whether it keeps them."""

    node: Node
    x: Tensor
    axes: tuple[int, ...]
    keepdims: bool


def _reduced(node: Node) -> Reduced:
    return Reduced(node, floats(node), reduced_axes(node), keeps_dims(node))


class SortAxes(Substitution[Reduced]):
    """``ReduceMean<axes=[3, 2]> -> ReduceMean<axes=[2, 3]>``; the axes are a set.

    Rounding: onnxruntime adds up in another order where the axes come in another.
    """

    name, roots = "sort-axes", frozenset({"ReduceMean"})
    cures = frozenset({"ReduceMean.axes"})

    def match(self, node: Node, ctx: Context) -> Reduced:
        """Axes out of order."""
        found = _reduced(node)
        if list(found.axes) == sorted(set(found.axes)):
            raise Mismatch(f"the axes {list(found.axes)} are in order", node)
        return found

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """The same in order."""
        return build.reduce(rw, match.node.op, match.x, sorted(set(match.axes)), keepdims=match.keepdims)


def _dropped(rw: Rewriter, kept: Tensor, match: Reduced) -> Tensor:
    """``kept``, without the reduced axes where the original drops them."""
    return kept if match.keepdims else build.squeeze(rw, kept, sorted(match.axes))


class MaxAsPool(Substitution[Reduced]):
    """``ReduceMax<axes=[2, 3]>(x) -> GlobalMaxPool(x)`` for NxCxHxW; exact, since it is the same maximum."""

    name, roots, exactness = "max-as-pool", frozenset({"ReduceMax"}), Exactness.EXACT
    limits = ("axes",)

    def match(self, node: Node, ctx: Context) -> Reduced:
        """Height and width, no other axis."""
        found = _reduced(node)
        need.rank(found.x, node, 4)
        if set(found.axes) != {2, 3}:
            raise Mismatch(f"the axes are {list(found.axes)}, a pooling takes height and width", node)
        return found

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """One pooling."""
        return _dropped(rw, rw.op("GlobalMaxPool", match.x), match)


class SumAsMean(Substitution[Reduced]):
    """``ReduceSum<axes=[2, 3]>(x) -> ReduceMean<axes=[2, 3]>(x) * (H * W)`` for NxCxHxW."""

    name, roots = "sum-as-mean", frozenset({"ReduceSum"})
    limits = ("axes",)

    def match(self, node: Node, ctx: Context) -> Reduced:
        """Height and width of known size, no other axis."""
        found = _reduced(node)
        need.rank(found.x, node, 4)
        if set(found.axes) != {2, 3}:
            raise Mismatch(f"the axes are {list(found.axes)}, a pooling takes height and width", node)
        area(found.x, node)
        return found

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """A global pooling, scaled."""
        return times(
            rw, build.reduce(rw, "ReduceMean", match.x, (2, 3), keepdims=match.keepdims), area(match.x, match.node)
        )


def area(x: Tensor, node: Node) -> int:
    """Height times width of NxCxHxW; both must be known."""
    sides = [d for d in (x.shape or ())[2:] if isinstance(d, int)]
    if len(sides) != 2:
        raise Mismatch(f"height and width of {x.name!r} must be known", node)
    return sides[0] * sides[1]


class ChainAxes(Substitution[Reduced]):
    """``Reduce<axes=[1, 3]>(x) -> Reduce<axes=[3]>(Reduce<axes=[1]>(x))`` for ReduceSum, ReduceMean and ReduceMax.

    Height and width of NxCxHxW stay together and come first, as a global pooling; else the first axis does. Both are
    what the witness found fastest. Means of means over whole axes are means.
    """

    name, roots = "chain-axes", frozenset({"ReduceSum", "ReduceMean", "ReduceMax"})
    limits = ("axes",)

    def match(self, node: Node, ctx: Context) -> Reduced:
        """Several steps."""
        found = _reduced(node)
        if len(_steps(found)) < 2:
            raise Mismatch(f"the axes {list(found.axes)} are one step already", node)
        return found

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """One reduction per step."""
        value = match.x
        for axes in _steps(match):
            value = build.reduce(rw, match.node.op, value, axes)
        return _dropped(rw, value, match)


def _steps(match: Reduced) -> list[tuple[int, ...]]:
    axes = sorted(set(match.axes))
    pooled = match.x.rank == 4 and axes[-2:] == [2, 3] and (len(axes) > 2 or match.node.op == "ReduceMean")
    return [(2, 3), *((a,) for a in axes[:-2])] if pooled else [(a,) for a in axes]


class ChannelsAsConv(Substitution[Reduced]):
    """``ReduceSum<axes=[1]>(x) -> Conv(x)`` for NxCxHxW: 1x1, to one channel, of weights 1 (ReduceMean: 1 / C)."""

    name, roots = "channels-as-conv", frozenset({"ReduceSum", "ReduceMean"})
    limits = ("axes",)

    def match(self, node: Node, ctx: Context) -> Reduced:
        """The channels, no other axis, and their number."""
        found = _reduced(node)
        need.rank(found.x, node, 4)
        if found.axes != (1,):
            raise Mismatch(f"the axes are {list(found.axes)}, a 1x1 convolution sums channels", node)
        channels(found.x, node)
        return found

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """One convolution."""
        count = channels(match.x, match.node)
        weight = np.full((1, count, 1, 1), 1.0 if match.node.op == "ReduceSum" else 1 / count)
        return _dropped(rw, pointwise(rw, match.x, rw.constant(weight, like=match.x)), match)


def channels(x: Tensor, node: Node) -> int:
    """Channels of ``x``, which must be known."""
    count = x.shape[1] if x.shape is not None else None
    if not isinstance(count, int):
        raise Mismatch(f"the channels of {x.name!r} are not known", node)
    return count


class ReduceMin(Substitution[Reduced]):
    """``ReduceMin(x) -> ReduceMax(x * -1) * -1``; exact, since only signs change."""

    name, roots, exactness = "reduce-min", frozenset({"ReduceMin"}), Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Reduced:
        """A float operand."""
        return _reduced(node)

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """A maximum between products by -1."""
        return times(
            rw, build.reduce(rw, "ReduceMax", times(rw, match.x, -1.0), match.axes, keepdims=match.keepdims), -1.0
        )


FACTORS = 8
"""The longest axis whose product is written out."""


class ProdAsMuls(Substitution[Reduced]):
    """``ReduceProd<axes=[1]>(x) -> x[:, :1] * x[:, 1:2] * ...``, along an axis of at most eight elements.

    The witness at O2, four channels of 28x28: on bayes-e 99 us in two segments and an operator on the CPU, 86 in one;
    on bernoulli2 530 and 513.
    """

    name, roots = "prod-as-muls", frozenset({"ReduceProd"})

    def match(self, node: Node, ctx: Context) -> Reduced:
        """One short axis of known size."""
        found = _reduced(node)
        if len(found.axes) != 1:
            raise Mismatch(f"the axes are {list(found.axes)}, a product is written out along one", node)
        size = (found.x.shape or ())[found.axes[0]]
        if not isinstance(size, int) or size > FACTORS:
            raise Mismatch(f"axis {found.axes[0]} has the size {size}, it must be known and at most {FACTORS}", node)
        return found

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """A Split, and one product less than parts."""
        axis = match.axes[0]
        size = (match.x.shape or ())[axis]
        assert isinstance(size, int)
        product, *rest = build.split(rw, match.x, [1] * size, axis)
        for part in rest:
            product = rw.op("Mul", product, part)
        return _dropped(rw, product, match)


class ArgMin(TextSubstitution):
    """``ArgMin(x) -> ArgMax(x * -1)``; exact, since only signs change and the first of equals stays the first."""

    name, exactness = "argmin", Exactness.EXACT
    before = (
        "(x) => (y) { y = ArgMin <axis: int = @axis, keepdims: int = @keepdims, select_last_index: int = @last> (x) }"
    )
    after = """(x) => (y) {
        minus = Constant <value_float = -1.0> ()
        n = Mul (x, minus)
        y = ArgMax <axis: int = @axis, keepdims: int = @keepdims, select_last_index: int = @last> (n)
    }"""


class ReduceL1(Substitution[Reduced]):
    """``ReduceL1(x) -> ReduceSum(Abs(x))``, its definition."""

    name, roots, limits = "reduce-l1", frozenset({"ReduceL1"}), ("axes",)

    def match(self, node: Node, ctx: Context) -> Reduced:
        """A float operand."""
        return _reduced(node)

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """Two nodes."""
        return build.reduce(rw, "ReduceSum", rw.op("Abs", match.x), match.axes, keepdims=match.keepdims)


class ReduceSquares(Substitution[Reduced]):
    """``ReduceSumSquare(x) -> ReduceSum(x^2)`` and ``ReduceL2(x) -> Sqrt(ReduceSum(x^2))``, their definitions."""

    name, roots, limits = "reduce-squares", frozenset({"ReduceSumSquare", "ReduceL2"}), ("axes",)

    def match(self, node: Node, ctx: Context) -> Reduced:
        """An operand wide enough for squares."""
        wide(node)
        return _reduced(node)

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """Two nodes or three."""
        total = build.reduce(rw, "ReduceSum", squared(rw, match.x), match.axes, keepdims=match.keepdims)
        return rw.op("Sqrt", total) if match.node.op == "ReduceL2" else total


class ReduceLogSum(Substitution[Reduced]):
    """``ReduceLogSum(x) -> Log(ReduceSum(x))``, its definition."""

    name, roots = "reduce-log-sum", frozenset({"ReduceLogSum"})

    def match(self, node: Node, ctx: Context) -> Reduced:
        """A float operand."""
        return _reduced(node)

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """Two nodes."""
        return rw.op("Log", build.reduce(rw, "ReduceSum", match.x, match.axes, keepdims=match.keepdims))


class ReduceLogSumExp(Substitution[Reduced]):
    """``ReduceLogSumExp(x) -> m + Log(ReduceSum(Exp(x - m)))``, m being the maximum, limited to finite numbers.

    Exp sees no positive number, so nothing overflows; of a row of -inf the sum is 0 and its logarithm -inf, as it
    should be.
    """

    name, roots = "reduce-log-sum-exp", frozenset({"ReduceLogSumExp"})

    def match(self, node: Node, ctx: Context) -> Reduced:
        """A float operand."""
        return _reduced(node)

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """Seven nodes, and a Squeeze where axes are dropped."""
        limit = float(np.finfo(match.x.dtype).max)
        top = build.clip(rw, build.reduce(rw, "ReduceMax", match.x, match.axes), -limit, limit)
        total = build.reduce(rw, "ReduceSum", rw.op("Exp", rw.op("Sub", match.x, top)), match.axes)
        return _dropped(rw, rw.op("Add", rw.op("Log", total), top), match)


class LogSoftmax(Substitution[Reduced]):
    """``LogSoftmax(x) -> (x - m) - Log(ReduceSum(Exp(x - m)))``, m being the maximum.

    Exp sees no positive number and the sum is at least 1, so nothing overflows and nothing is 0.
    """

    name, roots = "log-softmax", frozenset({"LogSoftmax"})

    def match(self, node: Node, ctx: Context) -> Reduced:
        """Before opset 13 the axes behind ``axis`` belong to it, too."""
        x = floats(node)
        rank = need.rank(x, node)
        axis = ops.axis(node, 1 if ctx.opset < 13 else -1)
        axes = [axis] if ctx.opset >= 13 else [a for a in range(axis, rank) if (x.shape or ())[a] != 1] or [axis]
        return Reduced(node, x, tuple(axes), keepdims=True)

    def build(self, match: Reduced, rw: Rewriter) -> Tensor:
        """Six nodes."""
        shifted = rw.op("Sub", match.x, build.reduce(rw, "ReduceMax", match.x, match.axes))
        total = build.reduce(rw, "ReduceSum", rw.op("Exp", shifted), match.axes)
        return rw.op("Sub", shifted, rw.op("Log", total))
