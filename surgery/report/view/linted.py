"""Content of ``lint``: what is wrong, why, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence

from surgery.report.config import ConfigDocument
from surgery.report.lint import FindingRow, LintDocument
from surgery.report.text import plural
from surgery.report.verdict import closing
from surgery.report.view.content import Block, Cell, Note, Page, Section, Tone, code, table
from surgery.report.view.removal import removal_section

TITLES: dict[str, str] = {
    "performance": "Slower than it could be",
    "error": "Refused by the tool",
    "warning": "Not what it seems to say",
}
"""Every severity with the title of its findings, in the order in which they are shown."""
TONES: dict[str, Tone] = {"performance": "warn", "error": "bad", "warning": "warn"}


def lint_page(document: LintDocument) -> Page:
    """The findings by what comes of them, and what was written."""
    sections = [_section(title, kind, document.findings) for kind, title in TITLES.items()]
    if document.written is not None:
        edits = tuple(Note(edit) for edit in document.written.edits)
        sections.append(Section("Edits", (*edits, *(Note(note, "warn") for note in document.notes))))
        sections.append(Section("Left", _rows(document.written.findings)))
    sections.append(Section("Sources", _sources(document), detail=True))
    kept = tuple(section for section in sections if section.blocks)
    return Page(f"Configuration of {document.tool}", document.path, _facts(document), kept, closing(document))


def _facts(document: LintDocument) -> tuple[tuple[str, Cell], ...]:
    counts = [plural(sum(row.severity == kind for row in document.findings), kind) for kind in ("error", "warning")]
    slow = sum(row.severity == "performance" for row in document.findings)
    model = (("Checked against", code(document.model.path or "in memory")),) if document.model else ()
    return (
        ("March", code(document.march or "none")),
        *model,
        ("Accepted", Cell("yes", "good") if document.accepted else Cell("no", "bad")),
        ("Findings", Cell(", ".join([f"{slow} about speed", *counts]))),
    )


def _section(title: str, severity: str, findings: Sequence[FindingRow]) -> Section:
    return Section(title, _rows([row for row in findings if row.severity == severity]))


def _rows(rows: Sequence[FindingRow]) -> tuple[Block, ...]:
    if not rows:
        return ()
    return (table("Key|#Line|Weight|Reason|To do|Source", map(_row, rows)),)


def _sources(document: LintDocument) -> tuple[Block, ...]:
    """Where the rules come from: those of the file that was written, too."""
    known = document.sources | (document.written.sources if document.written else {})
    return (table("Source|Where", ((code(name), where) for name, where in known.items())),)


def _row(row: FindingRow) -> list[Cell | str]:
    return [
        code(row.key or "–", TONES[row.severity]),
        "–" if row.line is None else str(row.line),
        row.weight or "–",
        row.text,
        f"{row.fix} (--fix)" if row.fixable else row.fix,
        row.source,
    ]


def config_page(document: ConfigDocument) -> Page:
    """What was written, and what was decided on the way."""
    rows = (
        (code(f"{section}.{key}"), code(value))
        for section, keys in document.settings.items()
        for key, value in keys.items()
    )
    sections = (
        Section("Settings", (table("Key|Value", rows),)),
        removal_section(document.removal),
        Section("Decided", tuple(Note(note) for note in document.notes)),
        Section("Findings", _rows(document.findings)),
    )
    facts = (("Written", code(document.path)), ("Model", code(document.model.path or "in memory")))
    kept = tuple(section for section in sections if section.blocks)
    return Page(f"Configuration for {document.march}", document.path, facts, kept, closing(document))
