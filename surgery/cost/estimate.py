"""The predicted time of a placed model: nodes, borders and the host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from surgery.cost.border import Transfer, transfers
from surgery.cost.coefficients import Rates, rates
from surgery.cost.interval import ONE, ZERO, Interval
from surgery.cost.nodes import NodeCost, cost_on
from surgery.cost.overlap import hidden
from surgery.cost.segments import ON_BPU, Devices, numbers
from surgery.cost.segments import segments as count_segments
from surgery.cost.what_if import AS_IS, WhatIf, deployment
from surgery.ir.graph import Node

if TYPE_CHECKING:
    from surgery.target import Placement, Target


@dataclass(frozen=True)
class Estimate:
    """Predicted times of one inference: a frame, or what a batch holds.

    Attributes:
        march: the march.
        bpu_ms: BPU time when it is saturated, on one core or on those that share a frame.
        compiler_ms: of it what the vendor's compiler counts, which knows of no start of segments.
        latency_ms: one thread from submit to done, host included.
        macs: multiply-accumulates of all nodes.
        bytes_read: bytes the BPU loads from memory (weights as int8, what does not fit on the chip).
        bytes_written: bytes the BPU stores to memory.
        nodes: the cost of every node on one core, in the order of the placement.
        transfers: the tensors that cross between host and BPU.
        host: time of the host for submitting segments, by coefficient, microseconds.
        segment: start of the segments on the BPU, and what nothing hides at their ends, microseconds.
        overlap: what is left of the sum of the layers' times since neighbours hide each other's loading, 0..1.
        segment_of: the BPU segment of every node that is in one.
        layer_error: relative error of one changed layer that no shared coefficient explains.
        split: what becomes of the layers' time, as a factor, where several cores share a frame.
        at_once: inferences that the cores of the BPU work on at a time.
        batch: frames per inference, as often as the graph says.
    """

    march: str
    bpu_ms: Interval
    compiler_ms: Interval
    latency_ms: Interval
    macs: int
    bytes_read: int
    bytes_written: int
    nodes: tuple[NodeCost, ...]
    transfers: tuple[Transfer, ...]
    host: tuple[tuple[str, Interval], ...]
    segment: Interval
    overlap: float
    segment_of: Mapping[Node, int]
    layer_error: float
    split: Interval = ONE
    at_once: int = 1
    batch: int = 1

    def throughput_fps(self, threads: int) -> Interval:
        """Frames per second when ``threads`` threads each submit the next frame once the last one is done.

        They are held up by one another on the BPU only: the lesser of what the threads ask for and what it can do, the
        bounds of a closed queue. The host is taken to have a core for every thread.
        """
        return Interval(
            *(
                1000 * self.batch * min(threads / latency if latency else inf, self.at_once / bpu if bpu else inf)
                for bpu, latency in zip(reversed(self.bpu_ms), reversed(self.latency_ms), strict=True)
            )
        )

    @property
    def unknown(self) -> tuple[NodeCost, ...]:
        """The nodes without an estimate, left out of the totals, which are then lower bounds."""
        return tuple(cost for cost in self.nodes if not cost.us.known)

    @property
    def assumed(self) -> tuple[NodeCost, ...]:
        """The nodes timed as on the BPU though nothing public says that they run there."""
        return tuple(cost for cost in self.nodes if cost.device in ("unknown", "refused"))

    @property
    def complete(self) -> bool:
        """Whether every node and transfer has an estimate."""
        return not self.unknown and all(t.us.known for t in self.transfers)


def estimate(placement: Placement, what_if: WhatIf = AS_IS) -> Estimate:
    """The predicted times of a placed model.

    Raises:
        NoCoefficients: the march has none.
        InputError: the march cannot do what ``what_if`` asks.
    """
    return estimate_by(rates(placement.target), placement, what_if)


def estimate_nodes(
    nodes: Iterable[Node], device: Devices, segments: int, target: Target, what_if: WhatIf = AS_IS
) -> Estimate:
    """:func:`estimate` of nodes whose devices and number of BPU segments are stated; all are taken to be in one."""
    return _estimate(rates(target), nodes, _Sides(device, segments, lambda _: 0), target.name, what_if)


def estimate_by(table: Rates, placement: Placement, what_if: WhatIf = AS_IS) -> Estimate:
    """:func:`estimate` with coefficients at hand."""
    nodes = [row.node for row in placement.live]
    sides = _Sides(placement.device, placement.segments, lambda node: placement.row(node).segment)
    return _estimate(table, nodes, sides, placement.target.name, what_if)


class _Sides(NamedTuple):
    """Where nodes run: their devices, how many BPU segments these make, and in which each is."""

    device: Devices
    segments: int
    segment: Callable[[Node], int | None]


def _estimate(table: Rates, nodes: Iterable[Node], sides: _Sides, march: str, what_if: WhatIf) -> Estimate:
    chosen, device = list(nodes), cache(sides.device)
    deployed = deployment(what_if, table, chosen, march)
    table = deployed.table
    apart = numbers(chosen, device, sides.segment)
    costs = [cost_on(node, device(node), deployed.of(node), device, apart.get) for node in chosen]
    crossing = transfers(chosen, device, table)
    runs = count_segments(chosen, device, sides.segments)
    host, start, ends = _host(table, runs), table.segment.of(runs), table.ends.scaled(runs)
    overlap = hidden(costs, apart, table)
    spent = busy_us(costs, 0.0).scaled(overlap)
    alone, counted = (spent.no_narrower(error) for error in (table.sheet.model_error, table.sheet.compiler_error))
    split = deployed.left(alone.mid, sum(c.device in ON_BPU and c.us.mid > 0 for c in costs))
    bpu = alone.times(split).plus(ends).plus(start)
    rest = _sum([*(c.us for c in costs if c.device not in ON_BPU), *(t.us for t in crossing), *(us for _, us in host)])
    return Estimate(
        march,
        bpu.scaled(1e-3),
        counted.times(split).plus(ends).scaled(1e-3),
        bpu.plus(rest).scaled(1e-3),
        sum(c.macs for c in costs),
        sum(c.read for c in costs),
        sum(c.written for c in costs),
        tuple(costs),
        tuple(crossing),
        host,
        start.plus(ends),
        overlap,
        apart,
        table.sheet.layer_error,
        split,
        deployed.at_once,
        what_if.batch,
    )


def local_us(nodes: Iterable[Node], device: Devices, target: Target) -> Interval:
    """Microseconds of a few nodes and of their borders with neighbours on another device.

    The measure for "before against after" of one rewrite; nodes without an estimate make it unknown (NaN).
    """
    table = rates(target)
    chosen = list(nodes)
    costs = Interval.total(cost_on(node, device(node), table, device).us for node in chosen)
    return costs.plus(Interval.total(t.us for t in transfers(chosen, device, table)))


def _host(table: Rates, segments: int) -> tuple[tuple[str, Interval], ...]:
    if not segments:
        return ()
    first, more = table.host["submit"], table.host["resubmit"]
    return ((first.name, first.us), (more.name, more.of(segments - 1)))


def busy_us(costs: Iterable[NodeCost], model_error: float) -> Interval:
    """The sum of the nodes on the BPU, microseconds, at least ``model_error`` (0..1) of it to each side.

    Nodes of one coefficient err together, coefficients each for itself.
    """
    groups: dict[str, Interval] = defaultdict(lambda: ZERO)
    for cost in costs:
        if cost.device in ON_BPU and cost.us.known:
            groups[cost.group] = groups[cost.group].plus(cost.us)
    return Interval.independent(groups.values()).no_narrower(model_error)


def _sum(parts: Iterable[Interval]) -> Interval:
    return Interval.total(part for part in parts if part.known)
