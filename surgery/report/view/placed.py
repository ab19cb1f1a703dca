"""Content of ``check`` and ``cost``: placement, limits broken, where the time goes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from surgery.report.check import CheckDocument, NodeRow, Refusal, Violation
from surgery.report.cost import CostDocument, NodeTime
from surgery.report.text import amount, interval, listed, number, percent, plural
from surgery.report.verdict import closing
from surgery.report.view.content import Block, Cell, Note, Page, Section, Stack, Table, Tone, code, table
from surgery.report.view.log import log_section
from surgery.report.view.witness import check_blocks

DEVICES: dict[str, Tone] = {"bpu": "good", "folded": "muted", "cpu": "warn", "refused": "bad", "unknown": "warn"}
"""Every device with its tone, in the order they are shown."""


def check_page(document: CheckDocument) -> Page:
    """The placement of a model: by operator, limits broken with their cures, and node by node."""
    side = document.summary
    accepted = document.accepted if document.witness is None else document.witness.side.accepted
    facts = (
        ("Accepted", Cell("yes", "good") if accepted else Cell("no", "bad")),
        ("Nodes", Cell(str(side.nodes))),
        ("On the CPU", Cell(str(side.cpu), "warn" if side.cpu else "good")),
        ("BPU segments", Cell(str(side.segments))),
        ("MACs", Cell(amount(side.macs))),
        ("MACs on the BPU", Cell(percent(side.mac_coverage))),
    )
    found = [(row, v) for row in document.nodes for v in row.violations]
    sections = (
        Section("Refused by the toolchain", refusal_blocks(document.refusals)),
        Section("Placement", (_stack(document), _by_operator(document.nodes))),
        Section("Limits broken", violation_blocks((row.name, v) for row, v in found)),
        Section("Off the BPU without a broken limit", _unplaced(document.nodes)),
        log_section(document.log),
        Section("The vendor's toolchain", check_blocks(document.witness)),
        Section("Node by node", (_placement(document.nodes),), detail=True),
    )
    kept = tuple(s for s in sections if s.blocks)
    return Page(f"Check for {document.march}", document.model.path or "in memory", facts, kept, closing(document))


def refusal_blocks(refusals: Sequence[Refusal]) -> tuple[Block, ...]:
    """The reasons why the toolchain would not take the model; nothing when there are none."""
    rows = (
        (code(r.rule, "bad"), str(r.found), r.text or str(r.allowed), cures(r.cured_by), r.source) for r in refusals
    )
    return (table("Rule|Found|Must hold|Cured by|Source", rows),) if refusals else ()


def violation_blocks(found: Iterable[tuple[str, Violation]]) -> tuple[Block, ...]:
    """Violations grouped by limit and cure, the most frequent first; nothing when there are none."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[tuple[str, Violation]]] = defaultdict(list)
    for node, violation in found:
        groups[violation.constraint, str(violation.allowed), violation.cured_by].append((node, violation))
    rows = [_group(key, members) for key, members in sorted(groups.items(), key=lambda g: -len(g[1]))]
    return (table("Limit|Found|Allowed|#Nodes|Where|Cured by|Source", rows),) if rows else ()


def _group(key: tuple[str, str, tuple[str, ...]], members: list[tuple[str, Violation]]) -> list[Cell | str]:
    constraint, allowed, cured_by = key
    values = list(dict.fromkeys(str(v.found) for _, v in members))
    nodes = list(dict.fromkeys(node for node, _ in members))
    where = code(listed(nodes, 2))
    return [code(constraint), listed(values), allowed, str(len(nodes)), where, cures(cured_by), members[0][1].source]


def cures(names: Sequence[str]) -> Cell:
    """The passes that cure something, or that none does."""
    return code(", ".join(names), "good") if names else Cell("no pass", "muted")


def _stack(document: CheckDocument) -> Stack:
    return Stack("Nodes by device", ((document.march, counts(document.summary)),))


def counts(side: object) -> tuple[tuple[str, int], ...]:
    """The node counts of a summary by device, in the order they are shown."""
    return tuple((device, getattr(side, device)) for device in DEVICES)


def _by_operator(nodes: Sequence[NodeRow]) -> Table:
    by_op: dict[str, Counter[str]] = defaultdict(Counter)
    for row in nodes:
        by_op[row.op][row.device] += 1
    trouble = sorted(by_op.items(), key=lambda item: (-_off(item[1]), -item[1].total(), item[0]))
    rows = ([code(op), Cell(str(c.total())), *(_count(c[d], t) for d, t in DEVICES.items())] for op, c in trouble)
    return table("Operator|#Nodes|#" + "|#".join(DEVICES), rows)


def _off(by_device: Counter[str]) -> int:
    return by_device["cpu"] + by_device["refused"] + by_device["unknown"]


def _count(count: int, tone: Tone) -> Cell:
    return Cell(str(count), tone) if count else Cell("·", "muted")


def _unplaced(nodes: Sequence[NodeRow]) -> tuple[Block, ...]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in nodes:
        if row.device not in ("bpu", "folded") and not row.violations:
            groups[row.device, row.op, row.note].append(row.name)
    rows = [
        (code(op), Cell(device, DEVICES[device]), str(len(names)), code(listed(names, 2)), note)
        for (device, op, note), names in sorted(groups.items(), key=lambda g: -len(g[1]))
    ]
    return (table("Operator|Device|#Nodes|Where|Why", rows),) if rows else ()


def _placement(nodes: Sequence[NodeRow]) -> Table:
    rows = (
        (
            code(row.name),
            code(row.op),
            Cell(row.device, DEVICES[row.device]),
            "" if row.segment is None else str(row.segment),
            code(", ".join(v.constraint for v in row.violations)),
            row.note,
        )
        for row in nodes
    )
    return table("Node|Operator|Device|#Segment|Limits broken|Note", rows)


def cost_page(document: CostDocument) -> Page:
    """The estimate: totals, the slowest nodes, transfers."""
    facts = (
        ("Latency", Cell(interval(document.latency_ms))),
        ("BPU time per frame", Cell(interval(document.bpu_ms))),
        ("MACs", Cell(amount(document.macs))),
        ("Read", Cell(f"{amount(document.bytes.read)}B")),
        ("Written", Cell(f"{amount(document.bytes.written)}B")),
    )
    slowest = sorted(document.nodes, key=lambda n: -(n.us.mid or 0.0))
    sections = (
        Section("No estimate", (Note(document.reason, "warn"),) if document.reason else ()),
        Section("Slowest nodes", (_times(slowest[:12]),) if slowest else ()),
        log_section(document.log),
        Section("Between host and BPU", _transfers(document)),
        Section("Node by node", (_times(document.nodes),) if slowest else (), detail=True),
    )
    kept = tuple(s for s in sections if s.blocks)
    return Page(f"Cost on {document.march}", document.model.path or "in memory", facts, kept, closing(document))


def _times(nodes: Sequence[NodeTime]) -> Table:
    rows = (
        (
            code(n.name),
            code(n.op),
            Cell(n.device, DEVICES.get(n.device, "")),
            interval(n.us, "µs"),
            n.bound,
            amount(n.macs),
            n.basis,
        )
        for n in nodes
    )
    return table("Node|Operator|Device|#Time|Bound by|#MACs|Basis", rows)


def _transfers(document: CostDocument) -> tuple[Block, ...]:
    if not document.transfers:
        return ()
    total = sum(t.us.mid or 0.0 for t in document.transfers)
    rows = ((code(t.tensor), t.direction, f"{amount(t.bytes)}B", interval(t.us, "µs")) for t in document.transfers)
    said = f"{plural(len(document.transfers), 'transfer')}, {number(total / 1000)} ms in all."
    return (Note(said), table("Tensor|Direction|#Size|#Time", rows))
