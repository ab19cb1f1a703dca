"""How much faster one model is than another, from what differs between them.

Both estimates rest on the same coefficients, and a coefficient that is wrong is wrong in both: what did not change
cancels. Each group of costs is given one error factor for both models; the ratio of the two sums is then
taken at its extremes over all factors.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from surgery.cost.estimate import Estimate
from surgery.cost.interval import ZERO, Interval
from surgery.cost.nodes import NodeCost
from surgery.cost.segments import ON_BPU


class Speedup(NamedTuple):
    """``latency before / latency after`` of a frame; the interval is None, with the reason, if it cannot be stated."""

    interval: Interval | None
    reason: str = ""


class _Group(NamedTuple):
    before: float
    after: float
    low: float
    high: float


def speedup(before: Estimate, after: Estimate) -> Speedup:
    """The paired speed-up of ``latency_ms``.

    Nodes without an estimate must be the same in both, or there is no answer.
    """
    if before.march != after.march:
        return Speedup(None, f"the estimates are of two marches, {before.march} and {after.march}")
    if _blanks(before) != _blanks(after):
        names = ", ".join(sorted({c.node.name or c.node.op for c in (*before.unknown, *after.unknown)})[:3])
        return Speedup(None, f"nodes without an estimate differ between the two models ({names})")
    groups = _groups(before, after)
    total_before, total_after = sum(g.before for g in groups), sum(g.after for g in groups)
    if total_after <= 0 or total_before <= 0:
        return Speedup(None, "nothing in the model has an estimate")
    own = 1 + before.layer_error * _changed(before, after) / max(total_before, total_after)
    low, high = -_largest([_Group(-g.before, g.after, g.low, g.high) for g in groups]), _largest(groups)
    return Speedup(_per_frame(Interval(low / own, total_before / total_after, high * own), before, after))


def _per_frame(ratio: Interval, before: Estimate, after: Estimate) -> Interval:
    """The ratio of two batches as one of their frames, wider by what is not known of cores that share one."""
    low = max(side.split.mid / side.split.low for side in (before, after))
    high = max(side.split.high / side.split.mid for side in (before, after))
    return ratio.times(Interval(1 / high, 1.0, low)).scaled(after.batch / before.batch)


def _largest(groups: list[_Group]) -> float:
    """The largest ``sum(b f) / sum(a f)`` with each factor f between its low and high.

    At the optimum r every group with ``b > r a`` sits at its high and every other at its low; climbing from any
    ratio reaches it in a few steps.
    """
    ratio = sum(g.before for g in groups) / sum(g.after for g in groups)
    for _ in range(len(groups) + 1):
        factors = [g.high if g.before > ratio * g.after else g.low for g in groups]
        better = _dot([g.before for g in groups], factors) / _dot([g.after for g in groups], factors)
        if better - ratio <= 1e-12 * abs(ratio):
            break
        ratio = better
    return ratio


def _dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _groups(before: Estimate, after: Estimate) -> list[_Group]:
    sums: dict[str, list[Interval]] = defaultdict(lambda: [ZERO, ZERO])
    for side, estimate in enumerate((before, after)):
        for name, us in _parts(estimate):
            sums[name][side] = sums[name][side].plus(us)
    return [_group(*pair) for pair in sums.values() if pair[0].mid + pair[1].mid > 0]


def _group(before: Interval, after: Interval) -> _Group:
    mid = before.mid + after.mid
    return _Group(before.mid, after.mid, (before.low + after.low) / mid, (before.high + after.high) / mid)


def _parts(estimate: Estimate) -> Iterator[tuple[str, Interval]]:
    for cost in estimate.nodes:
        if cost.us.known:
            hidden = estimate.overlap * estimate.split.mid
            yield cost.group, cost.us.scaled(hidden) if cost.device in ON_BPU else cost.us
    yield from ((t.group, t.us) for t in estimate.transfers if t.us.known)
    yield from estimate.host
    yield "segment", estimate.segment


def _changed(before: Estimate, after: Estimate) -> float:
    """Microseconds of the nodes of either model that have no equal in the other."""
    here, there = Counter(map(_key, before.nodes)), Counter(map(_key, after.nodes))
    return sum(us * count for (_, _, us), count in ((here - there) + (there - here)).items() if us == us)


def _key(cost: NodeCost) -> tuple[str, str, float]:
    return cost.device, cost.group, round(cost.us.mid, 3)


def _blanks(estimate: Estimate) -> Counter[tuple[str, str]]:
    return Counter((cost.node.op, cost.device) for cost in estimate.unknown)
