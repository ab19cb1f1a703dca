"""Which nodes the vendor's tool should be asked to run on the BPU: those that it leaves on the CPU, where that pays."""

from __future__ import annotations

from dataclasses import dataclass
from glob import escape

from surgery.cost import NoCoefficients, estimate
from surgery.ir import Model
from surgery.pipeline.view import place_as_seen
from surgery.report.text import plural
from surgery.target import Target


@dataclass(frozen=True)
class Requested:
    """The nodes to ask for, by name in the file, and a sentence about it; "" where there are no such nodes at all."""

    nodes: tuple[str, ...] = ()
    said: str = ""


def requested(model: Model, target: Target) -> Requested:
    """The nodes of ``model`` that ``target`` runs on the BPU on request alone, if that is predicted to be faster.

    Nodes without a name in the file cannot be asked for. On a march without estimates all of them are.
    """
    names = _names(model, target)
    if not names:
        return Requested()
    nodes = plural(len(names), "node")
    try:
        asked = target.asking(tuple(map(escape, names)), model.nodes())
        before, after = (estimate(place_as_seen(model, one)).latency_ms.mid for one in (target, asked))
    except NoCoefficients:
        return Requested(names, f"{nodes} asked onto the BPU; {target.name} has no estimates of what that gains.")
    if after >= before:
        return Requested((), f"{nodes} left on the CPU, predicted to be no slower there.")
    return Requested(names, f"{nodes} asked onto the BPU: {before:.3g} to {after:.3g} ms predicted.")


def _names(model: Model, target: Target) -> tuple[str, ...]:
    """The nodes that the BPU runs where it is asked to."""
    if not target.on_request:
        return ()
    asking = target.asking(target.on_request, model.nodes())
    candidates = (node for node in model.graph.nodes if node.named and node.op in target.on_request)
    return tuple(node.name for node in candidates if asking.verdict(node, model.opset).device == "bpu")
