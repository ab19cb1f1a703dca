"""Cutting layers that are over a channel limit into smaller ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from passes.clamp.layer import OPS, Layer, read
from passes.clamp.plan import Plan, plans
from passes.clamp.spread import Stopped, bring_together
from passes.clamp.steps import Cut, Parts, Product, Split, Step
from passes.clamp.trial import Trial, channel_limits
from surgery.ir import Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


@dataclass(frozen=True)
class Cutting:
    """The layer that is cut first, and everything to be done, in order."""

    node: Node
    steps: tuple[Step, ...]


class SplitChannels(Rule[Cutting]):
    """Cut a layer over the channel limits in parts that keep them: outputs by Concat, inputs by partial sums.

    ::

        y = Conv(x, W, b)           W: 64 outputs, 48 inputs; the march allows 32 of each

        x0, x1 = Split(x)           24 + 24 channels
        y0 = Conv(x0, W00, b0) + Conv(x1, W01)
        y1 = Conv(x0, W10, b1) + Conv(x1, W11)
        y = Concat(y0, y1)          32 + 32 channels

    Rounding: the sums over input channels are the same, added in another order.
    """

    name = "split-channels"
    roots = OPS
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = channel_limits(*OPS) | {"Conv.dilations"}

    def match(self, node: Node, ctx: Context) -> Cutting | Mismatch:
        """The plan of fewest nodes that the march takes, with what it needs before and behind."""
        found = Refusals()
        for _, way in self._plans(node, ctx, found):
            if isinstance(way, Cutting):
                return way
        raise found.worst or Mismatch("it has one channel in and out, nothing can be cut", node)

    def ways(self, node: Node, ctx: Context) -> Iterator[tuple[str, Cutting | Mismatch]]:
        """The plans, by the number of nodes."""
        yield from self._plans(node, ctx, Refusals())

    def _plans(self, node: Node, ctx: Context, found: Refusals) -> Iterator[tuple[str, Cutting | Mismatch]]:
        layer, trial = read(node), Trial(ctx, node)
        for plan in plans(layer.work, trial.steps):
            if found.stopped and len(plan.output_sizes) > 1:
                continue
            try:
                yield str(plan), Cutting(node, tuple(_steps(layer, plan, ctx, trial, found)))
            except Mismatch as mismatch:
                found.add(mismatch)
                yield str(plan), mismatch

    def rewrite(self, match: Cutting, rw: Rewriter) -> None:
        """Do the steps; what they replaced goes with the values that nothing reads any more."""
        parts: Parts = {}
        for step in match.steps:
            step.emit(rw, parts)


class Refusals:
    """Why plans fail: what fails late, in small parts, says most.

    Attributes:
        stage: how far the plan at hand has got.
        stopped: parts of the output cannot be brought together, whatever their sizes.
        worst: the refusal to be given.
    """

    def __init__(self) -> None:
        self.stage = self._latest = 0
        self.stopped = False
        self.worst: Mismatch | None = None

    def add(self, why: Mismatch) -> None:
        """The plan at hand fails."""
        self.stopped = self.stopped or isinstance(why, Stopped)
        if self.stage >= self._latest:
            self._latest, self.worst = self.stage, why


def _steps(layer: Layer, plan: Plan, ctx: Context, trial: Trial, found: Refusals) -> list[Step]:
    found.stage = 0
    trial.products(layer, plan)
    found.stage = 1
    steps = [*_cut_input(layer, plan.input_sizes, trial), Product(layer, plan)]
    found.stage = 2
    if len(plan.output_sizes) > 1:
        steps += bring_together(layer.y, Cut(layer.out_axis, plan.output_sizes), ctx, trial)
    return steps


def _cut_input(layer: Layer, sizes: tuple[int, ...], trial: Trial) -> list[Step]:
    if len(sizes) == 1:
        return []
    cut = Cut(layer.in_axis, sizes)
    return [Split(layer.x, cut, trial.split(layer.x, cut.axis, cut.sizes))]
