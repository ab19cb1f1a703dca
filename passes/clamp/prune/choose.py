"""Which channels go: those that matter least for what it saves to give them up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from passes.clamp.prune.extent import Counts, Extent
from passes.clamp.prune.goals import Goal
from surgery.rewrite import Mismatch

STEPS = 64
"""In about so many steps a group of channels is given up, or in single ones where it has fewer."""


class Chooser:
    """Gives channels up, step by step, until goals are met.

    What matters is the share of a group's importance that goes, of what is left of it: the last tenth of a layer is
    dearer than the first. Each step takes the group that saves most for it.

    Args:
        extent: what there is to choose from.
        multiple: what is left of a group that loses channels is a multiple of this.
    """

    def __init__(self, extent: Extent, multiple: int = 1) -> None:
        self.extent, self.multiple = extent, multiple
        self._left = [np.concatenate([np.cumsum(s[::-1])[::-1], [0.0]]) for s in extent.scores]

    def rounded(self) -> Counts:
        """Every group down to a multiple, where it is at least one."""
        sizes = [len(units) for units in self.extent.units]
        return tuple(size % self.multiple if size >= self.multiple else 0 for size in sizes)

    def reach(self, goals: Sequence[Goal], start: Counts) -> Counts:
        """The counts at which all ``goals`` are met; raises Mismatch where they cannot be."""
        counts = start
        for goal in goals:
            counts = self._towards(goal, counts)
        return counts

    def _towards(self, goal: Goal, counts: Counts) -> Counts:
        prices: dict[int, float] = {}
        while not goal.is_met(counts):  # each turn gives up at least one unit
            for group in range(len(counts)):
                if group not in prices:
                    prices[group] = self._price(goal, group, counts)
            best = min(prices, key=lambda group: prices[group], default=None)
            if best is None or prices[best] == np.inf:
                raise Mismatch(
                    f"no channel would be left in {self._emptied(counts)} before this is reached: {goal.said}"
                )
            counts = self._after(best, counts)
            for group in self._neighbours(best):
                prices.pop(group, None)
        return counts

    def _price(self, goal: Goal, group: int, counts: Counts) -> float:
        """Importance lost over what the next step in ``group`` saves; infinite where it saves nothing."""
        after = self._after(group, counts)
        if after == counts or (saved := goal.saved(group, counts, after)) <= 0:
            return float("inf")
        left = self._left[group]
        return float(np.log(left[counts[group]] / max(left[after[group]], np.finfo(float).tiny)) / saved)

    def _after(self, group: int, counts: Counts) -> Counts:
        """The next step: always at least one unit stays, and a multiple where one is asked for."""
        size = len(self.extent.units[group])
        left = size - counts[group]
        step = self.multiple if self.multiple > 1 else max(1, size // STEPS)
        fewer = (left - 1) // step * step if self.multiple > 1 else left - step
        return (*counts[:group], size - fewer, *counts[group + 1 :]) if fewer >= 1 else counts

    def _neighbours(self, group: int) -> list[int]:
        """The groups whose layers a step in ``group`` changes."""
        mine = set(self.extent.around[group])
        return [other for other, layers in enumerate(self.extent.around) if mine & set(layers)]

    def _emptied(self, counts: Counts) -> str:
        """The group of which the largest share is gone."""
        shares = [count / len(units) for count, units in zip(counts, self.extent.units, strict=True)]
        return repr(self.extent.groups[int(np.argmax(shares))].name) if shares else "any layer"
