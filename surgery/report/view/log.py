"""Content of what a log of the vendor's toolchain changed."""

from __future__ import annotations

from surgery.report.log import LogPart
from surgery.report.text import listed, plural
from surgery.report.view.content import Block, Cell, Note, Section, code, table


def log_section(found: LogPart | None) -> Section:
    """The log, the nodes it places otherwise, and the names that lead nowhere; empty when there was none."""
    return Section("The vendor's log", () if found is None else _blocks(found))


def _blocks(found: LogPart) -> tuple[Block, ...]:
    which = ", ".join(filter(None, (f"for {found.march}" if found.march else "", found.table)))
    told = (
        f"{plural(found.rows, 'row')} tell of {plural(found.nodes, 'node')}, {found.agreed} placed as we do without it"
    )
    differ = len(found.disagreements)
    said = Note(
        f"{found.path}{f' ({which})' if which else ''}: {told}, {differ} differently.", "warn" if differ else "good"
    )
    rows = [(code(d.name), code(d.op), d.ours, Cell(d.theirs, "warn")) for d in found.disagreements]
    return (said, *((table("Node|Operator|Ours|Theirs", rows),) if rows else ()), *_names(found))


def _names(found: LogPart) -> tuple[Note, ...]:
    unmatched = (
        (
            Note(
                f"{plural(len(found.unmatched), 'name')} of the log match no node: {listed(found.unmatched, 6)}.",
                "warn",
            ),
        )
        if found.unmatched
        else ()
    )
    inserted = (
        (
            Note(
                f"{plural(len(found.inserted), 'row')} inserted by the toolchain: {listed(found.inserted, 6)}.", "muted"
            ),
        )
        if found.inserted
        else ()
    )
    return (*unmatched, *inserted)
