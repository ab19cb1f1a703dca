"""Parts of ``surgery.cost/1``: sums of the nodes' times by kind and by segment, and the line of time of one frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from surgery.cost.estimate import busy_us
from surgery.cost.interval import Interval
from surgery.cost.roofline import Roof, Use, use_of
from surgery.cost.segments import ON_BPU
from surgery.cost.timeline import Slot, Work
from surgery.report.base import Part, Span, Text
from surgery.report.usage import Efficiency, efficiency

if TYPE_CHECKING:
    from surgery.cost import Estimate, NodeCost
    from surgery.ir import Node


class KindTime(Part):
    """The nodes of one kind on one device: their times added up, each as if it were alone."""

    kind: str
    device: str
    nodes: int
    us: Span
    macs: int
    efficiency: Efficiency | None = None


class SegmentTime(Part):
    """One segment on the BPU, its start included: the middle values of all add up to that of ``bpu_ms``.

    ``begin_us`` is when its first layer begins, since the frame was submitted; ``nodes`` are those that take time.
    """

    segment: int
    nodes: int
    begin_us: float
    us: Span
    macs: int
    read: int
    written: int
    efficiency: Efficiency | None = None


class SlotTime(Part):
    """A piece of the line of time of one frame in one thread, middle values; the last one ends at ``latency_ms``.

    ``work`` is a ``layer`` or the ``start`` of a segment on the BPU, a ``node``, a ``transfer`` or the submitting
    (``submit``) of a segment on the host; ``name`` that of the node or tensor.
    """

    work: Work
    name: Text
    segment: int | None
    begin_us: float
    us: float


def by_kind(estimate: Estimate, roof: Roof | None) -> tuple[KindTime, ...]:
    """The kinds that take time, the longest first."""
    groups: dict[tuple[str, str], list[NodeCost]] = defaultdict(list)
    for cost in estimate.nodes:
        if cost.us.mid > 0:
            groups[cost.group, cost.device].append(cost)
    found = [_kind(kind, device, costs, roof) for (kind, device), costs in groups.items()]
    return tuple(sorted(found, key=lambda kind: -(kind.us.mid or 0.0)))


def _kind(kind: str, device: str, costs: list[NodeCost], roof: Roof | None) -> KindTime:
    us = Interval.total(cost.us for cost in costs)
    use = _use(costs, us, roof) if device in ON_BPU else None
    macs = sum(cost.macs for cost in costs)
    return KindTime(kind=kind, device=device, nodes=len(costs), us=Span.of(us), macs=macs, efficiency=efficiency(use))


def by_segment(
    estimate: Estimate, numbers: Mapping[Node, int], line: tuple[Slot, ...], roof: Roof | None, model_error: float
) -> tuple[SegmentTime, ...]:
    """The segments in the order of the line of time.

    Args:
        estimate: what they are parts of.
        numbers: the segments of the nodes on the BPU.
        line: the line of time.
        roof: the ceilings of the march.
        model_error: as the coefficients of the march have it.
    """
    begins: dict[int, float] = {}
    for slot in line:
        if slot.segment is not None and slot.work != "submit":
            begins.setdefault(slot.segment, slot.begin)
    groups: dict[int, list[NodeCost]] = defaultdict(list)
    for cost in estimate.nodes:
        if cost.node in numbers:
            groups[numbers[cost.node]].append(cost)
    start = estimate.segment.scaled(1 / len(groups)) if groups else estimate.segment
    times = {n: busy_us(costs, model_error).scaled(estimate.overlap).plus(start) for n, costs in groups.items()}
    return tuple(_segment(number, begins[number], groups[number], times[number], roof) for number in begins)


def _segment(number: int, begin: float, costs: list[NodeCost], us: Interval, roof: Roof | None) -> SegmentTime:
    return SegmentTime(
        segment=number,
        nodes=sum(cost.us.mid > 0 for cost in costs),
        begin_us=begin,
        us=Span.of(us),
        macs=sum(cost.macs for cost in costs),
        read=sum(cost.read for cost in costs),
        written=sum(cost.written for cost in costs),
        efficiency=efficiency(_use(costs, us, roof)),
    )


def _use(costs: list[NodeCost], us: Interval, roof: Roof | None) -> Use | None:
    return None if roof is None else use_of([cost for cost in costs if cost.us.known], us.mid, roof)


def slots(line: tuple[Slot, ...]) -> tuple[SlotTime, ...]:
    """The parts of a line of time, at nanoseconds."""
    return tuple(
        SlotTime(work=s.work, name=s.name, segment=s.segment, begin_us=round(s.begin, 3), us=round(s.us, 3))
        for s in line
    )
