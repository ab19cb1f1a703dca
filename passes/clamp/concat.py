"""Doing without a Concat over a channel limit."""

from __future__ import annotations

from dataclasses import dataclass

from passes.clamp.spread import bring_together
from passes.clamp.steps import Cut, Given, Parts, Step
from passes.clamp.trial import Trial
from surgery.ir import Node
from surgery.ir.ops import axis
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


@dataclass(frozen=True)
class Dissolved:
    """The Concat that goes, and everything to be done, in order."""

    node: Node
    steps: tuple[Step, ...]


class DissolveConcat(Rule[Dissolved]):
    """Let the readers of a Concat over a limit work on its operands: channelwise ones in parts, layers by sums.

    ::

        y = Conv(Relu(Concat(a, b)), W, bias)

        y = Conv(Relu(a), W0, bias) + Conv(Relu(b), W1)

    Rounding: the sums over input channels are the same, added in another order.
    """

    name = "dissolve-concat"
    roots = frozenset({"Concat"})
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = frozenset({"Concat.out_channels", "Concat.operand_channels"})

    def match(self, node: Node, ctx: Context) -> Dissolved | Mismatch:
        """The way of the operands to where they come together."""
        trial, along = Trial(ctx, node), axis(node, 0)
        sizes = [None if t.shape is None else t.shape[along] for t in node.inputs]
        cut = Cut(along, tuple(size for size in sizes if isinstance(size, int)))
        if len(cut.sizes) < len(sizes):
            return Mismatch(f"the operands must have known sizes along axis {along}", node)
        return Dissolved(node, (Given(node), *bring_together(node.outputs[0], cut, ctx, trial)))

    def rewrite(self, match: Dissolved, rw: Rewriter) -> None:
        """Do the steps; the Concat goes with the last node that read it."""
        parts: Parts = {}
        for step in match.steps:
            step.emit(rw, parts)
