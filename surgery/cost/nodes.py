"""The cost of one node on one device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from surgery.cost import cpu, work
from surgery.cost.coefficients import Basis, Rate, Rates, rates
from surgery.cost.interval import ZERO, Interval
from surgery.cost.kinds import Kind, kinds
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
        bound: what the time is spent on; ``fused`` and ``folded`` cost nothing of their own.
        macs: multiply-accumulates.
        basis: how the coefficient that dominates is known; assumed where the device is.
        group: the coefficient that dominates; costs of one group are wrong together.
        read: bytes loaded from memory by the BPU.
        written: bytes stored to memory by the BPU.
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
    reason: str = ""


def node_cost(node: Node, device: str, target: Target) -> NodeCost:
    """The cost of ``node`` on ``device``, borders not included.

    Looks at the node's own shapes and its neighbours, so it can be asked about a node in the middle of a rewrite.
    A node of unknown or refused device is timed as on the BPU, as an assumption.

    Raises:
        NoCoefficients: the march has none.
    """
    return cost_on(node, device, rates(target))


def cost_on(node: Node, device: str, table: Rates) -> NodeCost:
    """:func:`node_cost` with the coefficients at hand."""
    if device == "folded":
        return NodeCost(node, device, ZERO, "folded", macs(node))
    if reason := _opaque(node):
        return _unknown(node, device, reason)
    try:
        cost = _placed(node, device, table)
    except work.NotStatic as error:
        return _unknown(node, device, str(error))
    return cost if node.graph is None or node.graph.owner is None else _perhaps(cost)


def _placed(node: Node, device: str, table: Rates) -> NodeCost:
    if device == "bpu":
        return _on_bpu(node, table)
    return _on_cpu(node, table) if device == "cpu" else _undecided(node, device, table)


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


def _undecided(node: Node, device: str, table: Rates) -> NodeCost:
    cost = _on_bpu(node, table)
    where = "BPU" if cost.us.known else "CPU"
    cost = cost if cost.us.known else _on_cpu(node, table)
    why = "the toolchain refuses it" if device == "refused" else "no public limit decides its device"
    return replace(cost, device=device, basis=Basis.ASSUMED, reason=f"{why}: timed as on the {where}")


def _on_cpu(node: Node, table: Rates) -> NodeCost:
    rate, us = cpu.time(node, table)
    return NodeCost(node, "cpu", us, "host", macs(node), rate.basis, rate.name)


def _on_bpu(node: Node, table: Rates) -> NodeCost:
    engines = kinds(node)
    if not engines:
        return _unknown(node, "bpu", f"no estimate for {node.op} on the BPU")
    if engines[0] in (Kind.FUSED, Kind.VIEW):
        work.elements(node.outputs[0])
        return NodeCost(node, "bpu", ZERO, "fused", macs(node))
    return _busy(node, engines, table)


def _busy(node: Node, engines: tuple[Kind, ...], table: Rates) -> NodeCost:
    engine, layer, memory = table.engine[engines[0]], table.engine["layer"], table.engine["memory"]
    compute = _compute(node, engines, table)
    spill, weights = work.spilled(node, table.spill), work.weight_bytes(node)
    out = work.elements(node.outputs[0]) if work.leaves(node) else 0
    moved = memory.of((weights + sum(spill) + table.sheet.output_factor * out) * 1e-6)
    us = (compute.at_least(moved) if table.maximum else compute.plus(moved)).plus(layer.us)
    bound, rate = _dominant(compute, moved, engine, memory, layer)
    read, written = weights + spill.read, max(spill.written, out)
    return NodeCost(node, "bpu", us, bound, macs(node), rate.basis, rate.name, read, written)


def _compute(node: Node, engines: tuple[Kind, ...], table: Rates) -> Interval:
    parts = [table.engine[kind].of(work.amount(node, kind, table.align)) for kind in engines]
    if engines[0] is Kind.MATMUL:
        parts.append(table.engine["matmul_slice"].of(work.slices(node)))
    return Interval.total(parts)


def _dominant(compute: Interval, moved: Interval, engine: Rate, memory: Rate, layer: Rate) -> tuple[Bound, Rate]:
    if max(compute.mid, moved.mid) < layer.us.mid:
        return "overhead", layer
    return ("memory", memory) if moved.mid > compute.mid else ("compute", engine)
