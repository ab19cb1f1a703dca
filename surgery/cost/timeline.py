"""One frame of one thread as a line of time: what the host and the BPU do, one after the other.

A segment starts when all that it reads is there; of several that could, the first in the graph. The end of the line is
the middle of ``latency_ms``: layers are as long as neighbours that hide each other's loading leave them.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat
from typing import Literal, NamedTuple, TypeAlias

from surgery.cost.border import Transfer
from surgery.cost.estimate import Estimate
from surgery.cost.interval import ZERO
from surgery.cost.nodes import NodeCost
from surgery.ir.graph import Node

Work: TypeAlias = Literal["layer", "start", "node", "submit", "transfer"]


class Slot(NamedTuple):
    """A piece of the line, in microseconds.

    Attributes:
        work: a ``layer`` or the ``start`` of a segment on the BPU; a ``node``, a ``transfer`` or the submitting
            (``submit``) of a segment on the host.
        name: of the node or tensor; empty for others.
        segment: its number where the BPU is at work or submitted to.
        begin: since the frame was submitted.
        us: how long it lasts.
    """

    work: Work
    name: str
    segment: int | None
    begin: float
    us: float


@dataclass
class _Unit:
    """A BPU segment or one node on the host, and what crosses once it is done."""

    segment: int | None
    costs: list[NodeCost] = field(default_factory=list)
    crossing: list[Transfer] = field(default_factory=list)


def timeline(estimate: Estimate) -> tuple[Slot, ...]:
    """The line of time of an estimate; what takes no time is left out."""
    units, home = _units(estimate)
    arriving = [t for t in estimate.transfers if t.tensor not in home]
    for transfer in estimate.transfers:
        if transfer.tensor in home:
            units[home[transfer.tensor]].crossing.append(transfer)
    slots = [*map(_transferred, arriving), *_work(_ordered(units, _readers(estimate, home)), estimate)]
    kept = [slot for slot in slots if slot.us > 0]
    begins = accumulate((slot.us for slot in kept), initial=0.0)
    return tuple(slot._replace(begin=begin) for slot, begin in zip(kept, begins, strict=False))


def _units(estimate: Estimate) -> tuple[list[_Unit], dict[str, int]]:
    """The units in the order of their first nodes, and which of them computes a tensor."""
    units: list[_Unit] = []
    place: dict[int, int] = {}
    home: dict[str, int] = {}
    for cost in estimate.nodes:
        at = _feeding(cost.node, home) if cost.device == "folded" else None
        if cost.device != "folded":
            segment = estimate.segment_of.get(cost.node)
            at = len(units) if segment is None else place.setdefault(segment, len(units))
            if at == len(units):
                units.append(_Unit(segment))
            units[at].costs.append(cost)
        if at is not None:
            home |= {tensor.name: at for tensor in cost.node.outputs if tensor.name}
    return units, home


def _feeding(node: Node, home: Mapping[str, int]) -> int | None:
    """The unit that computes what a folded node hands on."""
    return next((home[t.name] for t in node.inputs if t.name in home), None)


def _readers(estimate: Estimate, home: Mapping[str, int]) -> dict[int, set[int]]:
    """By unit, those that read what it computes."""
    readers: dict[int, set[int]] = defaultdict(set)
    for cost in estimate.nodes:
        own = next((home[t.name] for t in cost.node.outputs if t.name in home), None)
        for maker in {home[t.name] for t in cost.node.inputs if t.name in home} - {own}:
            if own is not None:
                readers[maker].add(own)
    return readers


def _ordered(units: Sequence[_Unit], readers: Mapping[int, set[int]]) -> Iterator[_Unit]:
    """Every unit after those it waits for; where some wait for each other, the first of the graph goes ahead."""
    waiting = [0] * len(units)
    for later in (each for after in readers.values() for each in after):
        waiting[later] += 1
    ready = [at for at, count in enumerate(waiting) if not count]
    left = set(range(len(units)))
    while left:
        at = heapq.heappop(ready) if ready else min(left)
        if at not in left:
            continue
        left.remove(at)
        yield units[at]
        for later in readers.get(at, ()):
            waiting[later] -= 1
            if not waiting[later]:
                heapq.heappush(ready, later)


def _work(units: Iterable[_Unit], estimate: Estimate) -> Iterator[Slot]:
    """What every unit does, a segment what it takes to submit and to start it before its layers."""
    chosen = list(units)
    submits, start = _submits(estimate, sum(unit.segment is not None for unit in chosen))
    for unit in chosen:
        if unit.segment is not None:
            yield Slot("submit", "", unit.segment, 0.0, next(submits))
            yield Slot("start", "", unit.segment, 0.0, start)
        for cost in unit.costs:
            us = cost.us.mid if unit.segment is None else cost.us.mid * estimate.overlap
            yield Slot("node" if unit.segment is None else "layer", cost.node.name, unit.segment, 0.0, us)
        yield from map(_transferred, unit.crossing)


def _submits(estimate: Estimate, segments: int) -> tuple[Iterator[float], float]:
    """What it takes to submit each segment, the first one apart, and to start one."""
    first, more = (us.mid for _, us in estimate.host or (("", ZERO), ("", ZERO)))
    return chain((first,), repeat(more / max(1, segments - 1))), estimate.segment.mid / max(1, segments)


def _transferred(transfer: Transfer) -> Slot:
    return Slot("transfer", transfer.tensor, None, 0.0, transfer.us.mid)
