"""Content of ``check``: placement, what to do, limits broken, padding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from surgery.report.check import CheckDocument, NodeRow, Refusal, Step, Violation
from surgery.report.padding import PaddingNote
from surgery.report.text import amount, listed, percent, plural
from surgery.report.verdict import closing
from surgery.report.view.content import Block, Cell, Note, Page, Section, Stack, Table, Tone, code, table
from surgery.report.view.convolutions import convolution_sections
from surgery.report.view.log import log_section
from surgery.report.view.nodes import DEVICES, Listing, node_table
from surgery.report.view.removal import removal_section
from surgery.report.view.witness import answered, check_blocks

_ALL = Listing()


def check_page(document: CheckDocument, listing: Listing = _ALL) -> Page:
    """The placement of a model: what to do, by operator, limits broken with their cures, and node by node.

    ``listing`` says which nodes are listed and in which order: where it asks for anything, that is no detail.
    """
    found = [(row, v) for row in document.nodes for v in row.violations]
    rows = listing.rows(document.nodes)
    sections = (
        Section("What to do first", _steps(document.todo)),
        Section("Refused by the toolchain", refusal_blocks(document.refusals)),
        Section("Placement", (_stack(document), _by_operator(document.nodes))),
        Section("Limits broken", violation_blocks((row.name, v) for row, v in found)),
        Section("Off the BPU without a broken limit", _unplaced(document.nodes)),
        Section("Padded by the hardware (no limit is broken)", _padded(document.notes)),
        *convolution_sections(document.efficiency),
        removal_section(document.removal),
        log_section(document.log),
        Section("The vendor's toolchain", check_blocks(document.witness)),
        Section(
            listing.title, (node_table(rows) if rows else Note("None.", "muted"),), detail=not listing.asked, open=True
        ),
    )
    kept = tuple(s for s in sections if s.blocks)
    subject = document.model.path or "in memory"
    return Page(f"Check for {document.march}", subject, tuple(_facts(document)), kept, closing(document))


def _facts(document: CheckDocument) -> Iterable[tuple[str, Cell]]:
    side = document.summary
    yield "Accepted", _accepted(document)
    yield "Nodes", Cell(str(side.nodes))
    yield "On the BPU", Cell(str(side.bpu))
    yield "On the CPU", Cell(str(side.cpu), "warn" if side.cpu else "good")
    yield "Folded", Cell(str(side.folded))
    if side.refused:
        yield "Refused", Cell(str(side.refused), "bad")
    yield "Unknown", Cell(str(side.unknown), "warn" if side.unknown else "good")
    if (assumed := document.assumed) is not None:
        said = f"{plural(assumed.nodes, 'node')}, limits of {assumed.march}"
        yield "Assumed", Cell(said, "warn" if assumed.nodes else "good")
    yield "BPU segments", Cell(str(side.segments))
    yield "MACs", Cell(amount(side.macs))
    yield "MACs on the BPU", Cell(percent(side.mac_coverage))


def _accepted(document: CheckDocument) -> Cell:
    """What the toolchain said where it was asked, what the march says otherwise, with every rule that is broken."""
    if document.witness is not None:
        return answered(document.witness.side)
    if not document.accepted:
        side = document.summary
        reasons = [r.rule for r in document.refusals] + ([plural(side.refused, "node")] if side.refused else [])
        return Cell(f"no: {', '.join(reasons)}", "bad")
    sure = not document.summary.unknown and not (document.assumed and document.assumed.nodes)
    return Cell("yes", "good") if sure else Cell("as far as is known", "warn")


def _steps(todo: Sequence[Step]) -> tuple[Block, ...]:
    """Each step as a sentence, and its command."""
    return tuple(note for at, step in enumerate(todo, 1) for note in _step(f"{at}. {step.text}", step.command))


def _step(text: str, command: str) -> Iterable[Note]:
    yield Note(text)
    if command:
        yield Note(f"   {command}", "muted")


def _padded(notes: Sequence[PaddingNote]) -> tuple[Block, ...]:
    if not notes:
        return ()
    head = "Layer|Operator|ON|Rounded up|#Waste|#Of the model's MACs"
    rows = (
        (
            code(note.name),
            code(note.op),
            Cell(note.device, DEVICES.get(note.device, "")),
            ", ".join(f"{s.what} {s.size} → {s.aligned}" for s in note.sizes),
            percent(note.waste),
            percent(note.share),
        )
        for note in notes
    )
    return (table(head, rows), Note(f"Multiples: {notes[0].source}", "muted"))


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
    where, first = code(listed(nodes, 2)), members[0][1]
    source = f"{first.source}{' (assumed)' if first.evidence == 'assumed' else ''}"
    return [code(constraint), listed(values), allowed, str(len(nodes)), where, cures(cured_by), source]


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
