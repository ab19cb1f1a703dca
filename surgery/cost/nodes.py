"""The cost of one node on one device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from surgery.cost import cpu, work
from surgery.cost.amounts import Amounts, amounts
from surgery.cost.coefficients import Basis, Rate, Rates, rates
from surgery.cost.edges import Edge, Segments, edge_of
from surgery.cost.interval import ZERO, Interval
from surgery.cost.kinds import FREE, kinds
from surgery.cost.overlap import side_by_side
from surgery.cost.segments import Devices
from surgery.cost.spilling import spilled
from surgery.cost.terms import PER_LAYER, Term
from surgery.cost.waiting import waiting
from surgery.ir.graph import Node
from surgery.target.params import macs

if TYPE_CHECKING:
    from surgery.target import Target

Bound: TypeAlias = Literal["compute", "memory", "overhead", "host", "fused", "folded", "unknown"]


@dataclass(frozen=True, slots=True)
class NodeCost:
    """What one node costs per frame.

    Attributes:
        node: the node.
        device: ``bpu``, ``cpu``, ``folded``, ``refused`` or ``unknown``, as placed.
        us: microseconds; NaN when there is no estimate, see ``reason``.
        bound: what the time is spent on, ``overhead`` where that is mostly what a layer costs however small, of
            computing or of moving; ``fused`` and ``folded`` cost nothing of their own.
        macs: multiply-accumulates.
        basis: how the coefficient that dominates is known; assumed where the device is.
        group: the coefficient that dominates; costs of one group are wrong together.
        read: bytes loaded from memory by the BPU.
        written: bytes stored to memory by the BPU.
        weights: bytes of weights as int8, packed where the march does, of ``read``.
        late: microseconds of loading that wait for the room of weights in use.
        computing: microseconds of computing, of ``us``.
        moving: microseconds of loading and storing, of which ``us`` has what computing does not hide.
        reason: why there is no estimate, or what was assumed.
    """

    node: Node
    device: str
    us: Interval
    bound: Bound
    macs: int = 0
    basis: Basis = Basis.FITTED
    group: str = ""
    read: int = 0
    written: int = 0
    weights: int = 0
    late: float = 0.0
    computing: Interval = ZERO
    moving: Interval = ZERO
    reason: str = ""


def node_cost(node: Node, device: str, target: Target) -> NodeCost:
    """The cost of ``node`` on ``device``, borders not included.

    Looks at the node's own shapes and its neighbours, so it can be asked about a node in the middle of a rewrite.
    A node of unknown or refused device is timed as on the BPU, as an assumption.

    Raises:
        NoCoefficients: the march has none.
    """
    return cost_on(node, device, rates(target))


def cost_on(
    node: Node, device: str, table: Rates, devices: Devices | None = None, segment: Segments | None = None
) -> NodeCost:
    """:func:`node_cost` with the coefficients at hand, and what is known of the neighbours' devices and segments."""
    if device == "folded":
        return NodeCost(node, device, ZERO, "folded", macs(node))
    if reason := _opaque(node):
        return _unknown(node, device, reason)
    try:
        cost = _placed(node, device, table, edge_of(node, devices, segment))
    except work.NotStatic as error:
        return _unknown(node, device, str(error))
    return cost if node.graph is None or node.graph.owner is None else _perhaps(cost)


def _placed(node: Node, device: str, table: Rates, edge: Edge) -> NodeCost:
    if device == "bpu":
        return _on_bpu(node, table, edge)
    return _on_cpu(node, table) if device == "cpu" else _undecided(node, device, table, edge)


def _perhaps(cost: NodeCost) -> NodeCost:
    """A node of a branch: nothing when the branch is not taken."""
    us = Interval(0.0, cost.us.mid, cost.us.high)
    return replace(cost, us=us, basis=Basis.ASSUMED, reason=cost.reason or "runs when its branch is taken")


def _opaque(node: Node) -> str:
    if not node.is_onnx:
        return f"{node.op} is an operator of domain {node.domain!r}"
    around: Node | None = node
    while around is not None:
        if around.op in ("Loop", "Scan"):
            return f"how often the body of {around.op} runs is not known"
        around = around.graph.owner if around.graph is not None else None
    return ""


def _unknown(node: Node, device: str, reason: str) -> NodeCost:
    return NodeCost(node, device, Interval.unknown(), "unknown", macs(node), Basis.ASSUMED, reason=reason)


def _undecided(node: Node, device: str, table: Rates, edge: Edge) -> NodeCost:
    cost = _on_bpu(node, table, edge)
    where = "BPU" if cost.us.known else "CPU"
    cost = cost if cost.us.known else _on_cpu(node, table)
    why = "the toolchain refuses it" if device == "refused" else "no public limit decides its device"
    return replace(cost, device=device, basis=Basis.ASSUMED, reason=f"{why}: timed as on the {where}")


def _on_cpu(node: Node, table: Rates) -> NodeCost:
    rate, us = cpu.time(node, table)
    return NodeCost(node, "cpu", us, "host", macs(node), rate.basis, rate.name)


def _on_bpu(node: Node, table: Rates, edge: Edge) -> NodeCost:
    engines = kinds(node)
    if not engines:
        return _unknown(node, "bpu", f"no estimate for {node.op} on the BPU")
    if engines[0] in FREE:
        work.elements(node.outputs[0])
        if not any(edge):
            return NodeCost(node, "bpu", ZERO, "fused", macs(node))
        engines = ()
    return _busy(node, amounts(node, engines, table.align, edge), edge, table)


def _busy(node: Node, terms: Amounts, edge: Edge, table: Rates) -> NodeCost:
    computing, most = _computed(terms, table)
    weights, loaded = work.weight_bytes(node, table.align)
    read, written = _traffic(node, edge, table, loaded)
    moving = table.moved.of((read + written) * 1e-6).plus(table.moving) if read + written else ZERO
    late, exposed = table.late(weights, loaded), table.memory.exposed
    us = computing
    if moving is not ZERO:
        us = Interval(*(side_by_side(c, m, late, exposed) for c, m in zip(computing, moving, strict=True)))
    bound, rate = _dominant(computing, moving, most, table)
    return NodeCost(
        node=node,
        device="bpu",
        us=us,
        bound=bound,
        macs=macs(node) * table.batch,
        basis=rate.basis,
        group=rate.name,
        read=read,
        written=written,
        weights=loaded,
        late=late,
        computing=computing,
        moving=moving,
    )


def _computed(terms: Amounts, table: Rates) -> tuple[Interval, Rate]:
    """The time of the terms together, and the rate of the one that takes longest (that of memory without any).

    One loop over numbers: half of what an estimate takes is spent around here.
    """
    low = mid = high = 0.0
    longest, most = -1.0, table.moved
    for term, amount in terms.items():
        if (rate := table.engine.get(term)) is not None:
            times = amount if term in PER_LAYER else amount * table.batch
            low, mid, high = low + times * rate.us[0], mid + times * rate.us[1], high + times * rate.us[2]
            if times * rate.us[1] > longest:
                longest, most = times * rate.us[1], rate
    return Interval(low, mid, high), most


def _traffic(node: Node, edge: Edge, table: Rates, loaded: int) -> tuple[int, int]:
    """Bytes read and written: of weights those ``loaded``, features at the edge, and what does not fit on the chip.

    What the host reads is as wide for int16 as for int8.
    """
    each = table.batch * table.width
    spill = spilled(node, table.rooms)
    enters, leaves = edge.sizes(table.align)
    aside = each * _aside(node, table)
    read = loaded + (round(each * table.memory.input_factor * enters) or each * spill.read) + aside
    return read, (round(table.batch * table.memory.output_factor * leaves) or each * spill.written) + aside


def _aside(node: Node, table: Rates) -> int:
    """Bytes that wait for the end of a branch beside more weights than there is room for."""
    if table.wait is None:
        return 0
    held = waiting(node, table.align)
    return held.size if held is not None and held.weights > table.wait else 0


def _dominant(computing: Interval, moving: Interval, most: Rate, table: Rates) -> tuple[Bound, Rate]:
    if moving.mid > computing.mid or most is table.moved:
        return ("overhead" if moving.mid < 2 * table.moving.mid else "memory"), table.moved
    return ("overhead", most) if most.name == Term.LAYER else ("compute", most)
