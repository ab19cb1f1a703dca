"""Reductions of what a Squeeze gives, over the axes of size 1, too."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

REDUCTIONS = frozenset({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"})
"""Reductions of one number that give the number."""


@dataclass(frozen=True)
class Spread:
    """A reduction, what it may read instead, and the axes there."""

    node: Node
    source: Tensor
    axes: tuple[int, ...]


class ReduceUnsqueezed(Rule[Spread]):
    """``ReduceMean<axes=[2]>(Squeeze<axes=[2]>(x)) -> ReduceMean<axes=[2, 3]>(x)``, without keepdims.

    The means of maps of one row, which pooling takes at rank 4. Rounding: another kernel may add up in another order.
    """

    name, roots = "reduce-unsqueezed", REDUCTIONS
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = frozenset(f"{op}.{limit}" for op in REDUCTIONS for limit in ("rank", "axes", "dims"))

    def match(self, node: Node, ctx: Context) -> Spread | Mismatch:
        """Known axes of both; the squeezed ones are reduced, too."""
        if ops.attr(node, "keepdims", 1):
            return Mismatch("keeps its axes, which the Squeeze took away", node)
        squeeze = need.producer(node, 0, "Squeeze")
        source, gone, axes = squeeze.inputs[0], ops.axes(squeeze), ops.axes(node)
        rank = need.rank(source, node)
        if gone is None or axes is None:
            return Mismatch("its axes and those of the Squeeze must be known", node)
        left = [axis for axis in range(rank) if axis not in gone]
        return Spread(node, source, tuple(sorted([*gone, *(left[axis] for axis in axes)])))

    def rewrite(self, match: Spread, rw: Rewriter) -> None:
        """One reduction."""
        rw.replace(match.node, build.reduce(rw, match.node.op, match.source, match.axes, keepdims=False))
