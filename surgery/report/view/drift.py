"""Content of ``diff``: how far outputs and internal values are apart."""

from __future__ import annotations

from collections.abc import Sequence

from surgery.report.diff import DiffDocument
from surgery.report.text import number, plural
from surgery.report.value import ValueDrift
from surgery.report.verdict import closing
from surgery.report.view.content import Block, Cell, Note, Page, Section, Table, code, table
from surgery.report.view.simulated import simulated_blocks
from surgery.report.view.witness import diff_blocks


def diff_page(document: DiffDocument) -> Page:
    """The drift of every output, then of the internal values that are furthest apart."""
    reference = "in memory" if document.model is None else document.model.path
    candidate = "in memory" if document.candidate is None else document.candidate.path
    first = code(document.first_bad.name, "bad") if document.first_bad else Cell("none", "good")
    facts = (("Samples", Cell(str(document.samples))), ("First value beyond rounding", first))
    sections = (
        Section("Outputs", drift_blocks(document)),
        Section("Quantised, simulated", simulated_blocks(document.int8)),
        Section("Quantised by the vendor's toolchain", diff_blocks(document.witness)),
        Section("Not compared", tuple(Note(note, "warn") for note in document.notes)),
        Section("Internal values", _taps(document.taps)),
        Section("Internal values in order", (values(document.taps),) if document.taps else (), detail=True),
    )
    kept = tuple(s for s in sections if s.blocks)
    return Page("Drift", f"{reference} → {candidate}", facts, kept, closing(document))


def drift_blocks(document: DiffDocument) -> tuple[Block, ...]:
    """What was compared, and each output."""
    said = f"Over {document.inputs or plural(document.samples, 'sample')}."
    return (Note(said, "muted"), values(document.outputs))


def _taps(taps: Sequence[ValueDrift]) -> tuple[Block, ...]:
    if not taps:
        return ()
    moved = [tap for tap in taps if not tap.bit_identical]
    note = Note(f"{plural(len(taps), 'value')} of one name in both models, {len(moved)} not bit-identical.")
    worst = sorted(moved, key=lambda tap: -_size(tap))[:10]
    return (note, values(worst)) if worst else (note,)


def _size(drift: ValueDrift) -> float:
    return float("inf") if drift.worst_rel is None else drift.worst_rel


def values(rows: Sequence[ValueDrift]) -> Table:
    """A table of drift, one row per value."""
    head = "Value|Same bits|#Largest difference|#Over range|#Worst channel|#Cosine|#SQNR dB|#Elements that differ"
    return table(head, map(_row, rows))


def _row(drift: ValueDrift) -> list[Cell | str]:
    if drift.problem:
        return [code(drift.name), Cell(drift.problem, "bad"), *["–"] * 6]
    return [
        code(drift.name),
        Cell("yes", "good") if drift.bit_identical else Cell("no"),
        number(drift.max_abs),
        number(drift.rel_to_range),
        number(drift.worst_rel),
        number(drift.cosine, 6),
        "∞" if drift.bit_identical and drift.sqnr_db is None else number(drift.sqnr_db),
        f"{drift.mismatches} of {drift.elements}",
    ]
