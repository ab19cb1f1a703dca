"""Content of ``audit``: the lines of code, and the nodes off the BPU of each."""

from __future__ import annotations

from surgery.report.audit import AuditDocument, Line
from surgery.report.verdict import Closing
from surgery.report.view.content import Cell, Page, Section, Table, code, table
from surgery.report.view.placed import cures, refusal_blocks


def audit_page(document: AuditDocument) -> Page:
    """Reasons against the whole model, and one table per line of code."""
    sections = (
        Section("Refused by the toolchain", refusal_blocks(document.refusals)),
        *(Section(line.place, (_nodes(line),)) for line in document.lines),
    )
    facts = (
        ("Nodes", Cell(str(document.summary.nodes))),
        ("Off the BPU", Cell(str(document.nodes), "warn" if document.nodes else "good")),
        ("Lines of code", Cell(str(len(document.lines)))),
    )
    kept = tuple(section for section in sections if section.blocks)
    return Page(f"Audit for {document.march}", document.module, facts, kept, Closing(not kept, document.sentence))


def _nodes(line: Line) -> Table:
    rows = (
        (
            code(found.node.name),
            code(found.node.op),
            code(found.module or "–"),
            found.node.device,
            "; ".join(map(str, found.node.violations)) or found.node.note,
            cures(tuple(dict.fromkeys(by for v in found.node.violations for by in v.cured_by))),
        )
        for found in line.found
    )
    return table("Node|Operator|Module|Device|Why|Cured by", rows, line.text)
