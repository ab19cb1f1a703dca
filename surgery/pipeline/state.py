"""A model as a march sees it: where its nodes run and what that costs; and how two of these compare."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.cost import Estimate, NoCoefficients, Speedup, estimate, speedup
from surgery.ir.collector import undisturbed
from surgery.target import Placement


@dataclass(frozen=True)
class State:
    """Placement, and the estimate or why there is none."""

    placement: Placement
    estimate: Estimate | None
    reason: str = ""

    @property
    def refused(self) -> int:
        """Number of nodes on which the toolchain fails, so that the model has no time at all."""
        return self.placement.summary().refused


@undisturbed()
def state_of(placement: Placement) -> State:
    """A placement with its estimate."""
    try:
        return State(placement, estimate(placement))
    except NoCoefficients as error:
        return State(placement, None, error.what)


def compare(before: State, after: State) -> Speedup:
    """Latency before over after, from the paired change; without an interval, the reason."""
    if before.estimate is None or after.estimate is None:
        return Speedup(None, before.reason or after.reason)
    if not before.placement.segments and after.placement.segments:
        return Speedup(None, "nothing of the original runs on the BPU, which the toolchain refuses: no time to beat")
    if before.refused > after.refused:
        return Speedup(None, f"the toolchain fails on {before.refused} nodes of the original, there is no time to beat")
    return speedup(before.estimate, after.estimate)
