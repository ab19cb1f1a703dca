"""Content of ``cost``: totals, the line of time, by kind, by segment, the slowest nodes, the roofline, node by node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from surgery.report.cost import CostDocument, NodeTime
from surgery.report.text import amount, interval, listed, number, percent, plural
from surgery.report.usage import Efficiency
from surgery.report.verdict import closing
from surgery.report.view.content import Block, Cell, Note, Page, Section, Table, code, table
from surgery.report.view.log import log_section
from surgery.report.view.nodes import DEVICES
from surgery.report.view.plots import roofline_block, timeline_block
from surgery.report.view.what_if import throughput_blocks, what_if_blocks

SLOWEST = 12
"""How many layers have a number, in the charts and in their table."""

_NO_USE = Efficiency()


def cost_page(document: CostDocument) -> Page:
    """The estimate: totals, the line of time, by kind, by segment, the roofline, the slowest nodes, transfers."""
    slowest = sorted((n for n in document.nodes if n.us.mid), key=lambda n: -(n.us.mid or 0.0))[:SLOWEST]
    ranks = {node.name: str(rank) for rank, node in enumerate(slowest, 1)}
    sections = (
        *_missing(document),
        Section("What if", what_if_blocks(document)),
        Section("One frame in one thread", timeline_block(document, ranks)),
        Section("Where the time goes", _kinds(document)),
        Section("Segment by segment", _segments(document)),
        Section("Slowest nodes", (_times(slowest, ranks),) if slowest else ()),
        Section("Under the roofline", (*roofline_block(document, ranks), *_ceilings(document))),
        log_section(document.log),
        Section("Between host and BPU", _transfers(document)),
        Section("Throughput", throughput_blocks(document)),
        Section("Node by node", (replace(_times(document.nodes), live=True),) if document.nodes else (), detail=True),
    )
    kept = tuple(s for s in sections if s.blocks)
    subject = document.model.path or "in memory"
    return Page(f"Cost on {document.march}", subject, tuple(_facts(document)), kept, closing(document))


def totals_page(document: CostDocument) -> Page:
    """The totals alone, and what is missing from them."""
    sections = (*_missing(document), Section("What if", what_if_blocks(document)))
    kept = tuple(s for s in sections if s.blocks)
    subject = document.model.path or "in memory"
    return Page(f"Cost on {document.march}", subject, tuple(_facts(document)), kept)


def _missing(document: CostDocument) -> tuple[Section, ...]:
    return (
        Section("No estimate", (Note(document.reason, "warn"),) if document.reason else ()),
        Section("Left out of the totals, which are lower bounds", _unknown(document.nodes)),
    )


def _facts(document: CostDocument) -> Iterator[tuple[str, Cell]]:
    yield "Latency", Cell(interval(document.latency_ms))
    yield "BPU time per frame", Cell(interval(document.bpu_ms))
    yield "MACs", Cell(amount(document.macs))
    yield "Read", Cell(f"{amount(document.bytes.read)}B")
    yield "Written", Cell(f"{amount(document.bytes.written)}B")
    if document.efficiency is not None:
        yield "Compute efficiency", Cell(percent(document.efficiency.compute))
        yield "Parameter efficiency", Cell(percent(document.efficiency.parameters))


def _unknown(nodes: Sequence[NodeTime]) -> tuple[Block, ...]:
    """The nodes without an estimate, by what is the matter with them."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in nodes:
        if node.us.mid is None:
            groups[node.op, node.reason].append(node.name)
    rows = [(code(op), str(len(names)), code(listed(names, 2)), why) for (op, why), names in groups.items()]
    return (table("Operator|#Nodes|Where|Why", rows),) if rows else ()


def _kinds(document: CostDocument) -> tuple[Block, ...]:
    """The kinds, the longest first."""
    total = sum(kind.us.mid or 0.0 for kind in document.kinds)
    rows = [
        (
            code(kind.kind),
            Cell(kind.device, DEVICES.get(kind.device, "")),
            str(kind.nodes),
            f"{number((kind.us.mid or 0.0) * 1e-3)} ms",
            percent((kind.us.mid or 0.0) / total),
            amount(kind.macs) if kind.macs else "",
            *shares(kind.efficiency),
        )
        for kind in document.kinds
    ]
    hidden = f"Together on the BPU {percent(1 - document.overlap)} less: neighbours hide each other's loading."
    note = (Note(hidden),) if document.overlap < 0.995 else ()
    return (table("Kind|Device|#Nodes|#Time|#Share|#MACs|#Compute|#Parameters", rows), *note) if rows else ()


def _segments(document: CostDocument) -> tuple[Block, ...]:
    """The segments in their order, and what the host does beside them."""
    latency, bpu = (span.mid if span and span.mid else 0.0 for span in (document.latency_ms, document.bpu_ms))
    host = f"{number((latency - bpu) * 1e3)} µs", percent((latency - bpu) / (latency or 1.0))
    rows = [
        (
            f"{s.segment}",
            str(s.nodes),
            f"{number(s.begin_us * 1e-3)} ms",
            interval(s.us, "µs"),
            percent((s.us.mid or 0.0) * 1e-3 / latency),
            amount(s.macs),
            f"{amount(s.read)}B",
            f"{amount(s.written)}B",
            *shares(s.efficiency),
        )
        for s in document.segments
    ]
    head = "BPU segment|#Nodes|#Begins|#Time|#Of latency|#MACs|#Read|#Written|#Compute|#Parameters"
    return (table(head, (*rows, ("host", "", "", *host, *[""] * 5))),) if rows else ()


def shares(use: Efficiency | None) -> tuple[str, str]:
    """Compute and parameter efficiency as cells; nothing where there is none."""
    found = use or _NO_USE
    return _share(found.compute), _share(found.parameters)


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _ceilings(document: CostDocument) -> tuple[Block, ...]:
    top = document.ceilings
    if top is None or not document.nodes:
        return ()
    use = document.efficiency or _NO_USE
    said = (
        f"Best rate {amount(top.macs_per_s)}MAC/s ({top.engine}), memory {amount(top.bytes_per_s)}B/s ({top.basis}): "
        f"below {number(top.ridge)} MACs per byte memory is the limit. "
    )
    said += f"The model has {number(use.intensity)} and attains {percent(use.attained)} of what they allow."
    return (Note(said), Note(f"Source: {top.source}", "muted"))


def _times(nodes: Sequence[NodeTime], ranks: Mapping[str, str] | None = None) -> Table:
    """One row per node, by number where there are ``ranks``."""
    head = "Node|Operator|=Device|#Time|=Bound by|#MACs|#Compute|#Parameters|#MACs/byte|=Basis"
    rows = ((*([] if ranks is None else [ranks[n.name]]), *_time(n)) for n in nodes)
    return table(head if ranks is None else f"No.|{head}", rows)


def _time(node: NodeTime) -> Iterator[Cell | str]:
    use = node.efficiency or _NO_USE
    yield code(node.name)
    yield code(node.op)
    yield Cell(node.device, DEVICES.get(node.device, ""))
    yield Cell(interval(node.us, "µs"), key=node.us.mid or 0.0)
    yield node.bound
    yield Cell(amount(node.macs) if node.macs else "", key=node.macs)
    for share in (use.compute, use.parameters):
        yield Cell(_share(share), key=share or 0.0)
    yield Cell("" if use.intensity is None else number(use.intensity), key=use.intensity or 0.0)
    yield node.basis


def _transfers(document: CostDocument) -> tuple[Block, ...]:
    if not document.transfers:
        return ()
    total = sum(t.us.mid or 0.0 for t in document.transfers)
    rows = ((code(t.tensor), t.direction, f"{amount(t.bytes)}B", interval(t.us, "µs")) for t in document.transfers)
    said = f"{plural(len(document.transfers), 'transfer')}, {number(total / 1000)} ms in all."
    return (Note(said), table("Tensor|Direction|#Size|#Time", rows))
