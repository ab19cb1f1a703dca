"""``surgery.lint/1``: what is wrong with the YAML of a conversion tool, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from surgery.report.base import Document, ModelRef, Part, Text, schema
from surgery.toolchain.conversion import accepted

if TYPE_CHECKING:
    from surgery.toolchain.conversion import Finding, Settings, Tool

    Lines = Callable[[tuple[object, ...]], int | None]

Severity = Literal["performance", "error", "warning"]


class FindingRow(Part):
    """One finding.

    ``severity``: error, the tool refuses the file; warning, it takes it and does something else; performance, it takes
    it and the model is slower, by ``weight``. ``key`` is ``section.key`` on ``line`` (None where the file does not have
    it), ``source`` where the rule comes from, by its name
    among the sources of the document. ``fixable`` says that ``--fix`` does what ``fix`` says.
    """

    rule: str
    severity: Severity
    weight: Literal["high", "medium", "low"] | None
    key: Text
    line: int | None
    text: Text
    source: str
    fix: Text
    fixable: bool


class Written(Part):
    """The file that was written, for which tool, the edits that made it of the first, and what is left in it."""

    path: Text
    tool: str
    edits: tuple[Text, ...]
    findings: tuple[FindingRow, ...]
    sources: dict[str, str]


class LintDocument(Document):
    """The findings of a configuration, performance first.

    ``accepted``: whether the tool takes it as far as is known. ``model`` is there where it was checked against one,
    ``written`` where it was repaired or translated; ``notes`` are what no edit can do about that; ``sources`` say where
    the rules were read, or how they were found, by name.
    """

    kind: Literal["surgery.lint/1"] = schema("surgery.lint/1")
    path: Text
    tool: str
    march: Text
    model: ModelRef | None = None
    accepted: bool
    findings: tuple[FindingRow, ...]
    written: Written | None = None
    notes: tuple[Text, ...] = ()
    sources: dict[str, str]

    @property
    def left(self) -> tuple[FindingRow, ...]:
        """What is wrong with the file that was written, or else with the one that was read."""
        return self.findings if self.written is None else self.written.findings


def finding_rows(found: Iterable[Finding], line: Lines) -> tuple[FindingRow, ...]:
    """The rows of findings; ``line`` says on which line a key stands."""
    return tuple(
        FindingRow(
            rule=one.rule,
            severity=one.severity.value,
            weight=one.weight,
            key=one.key,
            line=line(one.path),
            text=one.text,
            source=one.source,
            fix=one.fix,
            fixable=bool(one.edits),
        )
        for one in found
    )


def sources(facts: Tool) -> dict[str, str]:
    """Where what is known of a tool comes from, by name."""
    return {name: source.where for name, source in facts.sources.items()}


def lint_document(
    path: str, settings: Settings, found: tuple[Finding, ...], line: Lines, model: ModelRef | None
) -> LintDocument:
    """The document of a file as it was read."""
    return LintDocument(
        path=path,
        tool=settings.tool.tool,
        march=settings.march,
        model=model,
        accepted=accepted(found),
        findings=finding_rows(found, line),
        sources=sources(settings.tool),
    )
