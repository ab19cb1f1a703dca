"""What channels are given up for: fewer multiply-accumulates, no layer over a limit, less predicted time."""

from __future__ import annotations

from typing import Protocol

from passes.clamp.prune.extent import Counts, Extent
from surgery.channels import Cut
from surgery.ir import Node
from surgery.ir.edit import Editor
from surgery.pipeline import PassRun
from surgery.rewrite import Mismatch


class Goal(Protocol):
    """Something to be brought down."""

    @property
    def said(self) -> str:
        """The goal, in words that complete "cannot be reached: "."""

    def is_met(self, counts: Counts) -> bool:
        """Whether enough is gone."""

    def saved(self, group: int, before: Counts, after: Counts) -> float:
        """How much nearer the goal is when of ``group`` so many more are gone."""


class Fewer:
    """A share of the multiply-accumulates of convolutions and matrix products goes."""

    def __init__(self, extent: Extent, ratio: float) -> None:
        self.extent, whole = extent, extent.macs((0,) * len(extent.units))
        self.most = (1 - ratio) * whole
        self.said = f"{100 * ratio:.4g} % of {whole} multiply-accumulates gone"

    def is_met(self, counts: Counts) -> bool:
        """Whether no more than the rest is left."""
        return self.extent.macs(counts) <= self.most

    def saved(self, group: int, before: Counts, after: Counts) -> float:
        """Multiply-accumulates of the layers around."""
        macs = self.extent.layer_macs
        return sum(macs(i, before) - macs(i, after) for i in self.extent.around[group])


class Narrower:
    """No weight has more channels than a limit, on either side."""

    def __init__(self, extent: Extent, limit: int) -> None:
        self.extent, self.limit = extent, limit
        self.said = f"at most {limit} channels on either side of every layer"

    def is_met(self, counts: Counts) -> bool:
        """Whether no layer has more."""
        return not any(self._excess(i, counts) for i in range(len(self.extent.layers)))

    def saved(self, group: int, before: Counts, after: Counts) -> float:
        """Channels over the limit."""
        return sum(self._excess(i, before) - self._excess(i, after) for i in self.extent.around[group])

    def _excess(self, layer: int, counts: Counts) -> int:
        return sum(max(0, side.kept(counts) - self.limit) for side in self.extent.sides[layer])


class Faster:
    """The predicted latency falls to a target.

    Args:
        run: gives the march and its estimates.
        target: milliseconds.

    Raises Mismatch where the march has no coefficients.
    """

    def __init__(self, extent: Extent, run: PassRun, target: float) -> None:
        if not run.ctx.is_priced:
            raise Mismatch("target_latency_ms needs a march with cost coefficients")
        self.extent, self.run, self.target = extent, run, target
        self._near: dict[int, list[Node]] = {}
        whole = self._latency(None)
        self.said = f"{target:.4g} ms predicted (of {whole:.4g} ms)"

    def is_met(self, counts: Counts) -> bool:
        """Whether the estimate of the whole model is at most the target."""
        return self._latency(counts) <= self.target

    def saved(self, group: int, before: Counts, after: Counts) -> float:
        """Predicted microseconds of the nodes around."""
        first, second = (self._near_us(group, counts) for counts in (before, after))
        return first - second

    def _latency(self, counts: Counts | None) -> float:
        editor = Editor()
        try:
            self._cut(counts or (0,) * len(self.extent.units), editor)
            state = self.run.ctx.state()
        finally:
            editor.rollback()
        return float("inf") if state is None or state.estimate is None else state.estimate.latency_ms.mid

    def _near_us(self, group: int, counts: Counts) -> float:
        editor = Editor()
        try:
            self._cut(counts, editor)
            return self.run.ctx.local_us(self._nodes(group)) or 0.0
        finally:
            editor.rollback()

    def _nodes(self, group: int) -> list[Node]:
        if group not in self._near:
            near = {id(n): n for b in self.extent.groups[group].blocks for n in b.nodes}
            self._near[group] = list(near.values())
        return self._near[group]

    def _cut(self, counts: Counts, editor: Editor) -> None:
        gone = self.extent.gone(counts)
        Cut(self.extent.channels, gone, editor, self.run.model.opset, str, sizes_only=True).run()
