"""Writing down what a convolution leaves to its default."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.ir import Node
from surgery.ir.ops import spatial_rank
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


@dataclass(frozen=True)
class Plain:
    """A convolution that does not state its dilations, and its number of spatial axes."""

    node: Node
    axes: int


class StateDilations(Rule[Plain]):
    """``Conv(x, W) -> Conv<dilations=[1, 1]>(x, W)``, for a toolchain that fails without the attribute.

    Exact: the attribute has its default.
    """

    name = "state-dilations"
    roots = frozenset({"Conv"})
    purpose, exactness = Purpose.LEGALISE, Exactness.EXACT
    cures = frozenset({"Conv.dilations"})

    def match(self, node: Node, ctx: Context) -> Plain | Mismatch:
        """The number of dilations to be written."""
        axes = spatial_rank(node)
        if axes is None:
            return Mismatch("the kernel has no known shape", node)
        if "dilations" in node.attrs:
            return Mismatch("the dilations are written down already", node)
        return Plain(node, axes)

    def rewrite(self, match: Plain, rw: Rewriter) -> None:
        """The same node with the attribute."""
        node, inputs = match.node, [None if t.is_empty() else t for t in match.node.inputs]
        rw.replace(node, rw.op("Conv", *inputs, heir=node, **node.attrs, dilations=[1] * match.axes))
