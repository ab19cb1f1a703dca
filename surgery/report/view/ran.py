"""Content of ``run``: before and after, what the passes did, what is left, how far the numbers moved."""

from __future__ import annotations

from collections.abc import Sequence

from surgery.report.base import Span
from surgery.report.run import Accuracy, Edit, Interface, PassRow, Port, RunDocument, Side
from surgery.report.text import amount, interval, listed, number, percent, plural
from surgery.report.verdict import closing
from surgery.report.view.content import Bar, Bars, Block, Cell, Note, Page, Section, Stack, Tone, code, table, yes_or_no
from surgery.report.view.drift import drift_blocks
from surgery.report.view.log import log_section
from surgery.report.view.placed import counts, refusal_blocks, violation_blocks
from surgery.report.view.witness import answered, run_blocks

STATUS: dict[str, Tone] = {
    "applied": "good",
    "unchanged": "muted",
    "refused": "muted",
    "not-kept": "warn",
    "rolled-back": "bad",
    "failed": "bad",
}
"""Every status of a pass with its tone."""

VERIFIED: dict[str, Tone] = {"full": "good", "partial": "warn", "none": "bad", "off": "warn"}
"""How much of the run was verified, with its tone."""


def run_page(document: RunDocument) -> Page:
    """The report of a run."""
    sections = (
        Section("Before and after", _compared(document)),
        Section("Latency", _latency(document)),
        log_section(document.log),
        Section("Compiled by the vendor's toolchain", run_blocks(document.witness, _bpu(document))),
        Section("Passes", _passes(document.passes)),
        Section("Numbers", _numbers(document)),
        Section("Over budget", tuple(Note(text, "bad") for text in document.exceeded)),
        Section("Accuracy", _accuracy(document.accuracy)),
        Section("Channels taken out", _thinned(document)),
        Section("Inputs and outputs", (*_interface(document.io), *_host_code(document.host_code))),
        Section("Refused by the toolchain", refusal_blocks(document.after.refusals)),
        Section("Limits still broken", violation_blocks((v.node, v) for v in document.violations)),
        Section("Repaired while loading", tuple(Note(text) for text in document.normalised), detail=True),
        Section("Edits", _edits(document.edits), detail=True),
        Section("To run it again", _replay(document), detail=True),
    )
    kept = tuple(s for s in sections if s.blocks)
    subject = document.model.path or "in memory"
    return Page(f"Surgery for {document.march}", subject, _facts(document), kept, closing(document))


def _facts(document: RunDocument) -> tuple[tuple[str, Cell], ...]:
    after = document.after
    return (
        ("Accepted", yes_or_no(after.accepted) if document.witness is None else answered(document.witness.after)),
        ("On the CPU", Cell(f"{document.before.cpu} → {after.cpu}", "warn" if after.cpu else "good")),
        ("BPU segments", Cell(f"{document.before.segments} → {after.segments}")),
        ("Speedup", Cell(interval(document.speedup, "x"))),
        ("Numbers verified", Cell(document.verified, VERIFIED[document.verified])),
    )


def _compared(document: RunDocument) -> tuple[Block, ...]:
    before, after = document.before, document.after
    shares = Stack("Nodes by device", (("before", counts(before)), ("after", counts(after))))
    figures = (_figures(side) for side in (before, after))
    rows = ((title, old, new) for (title, old), (_, new) in zip(*figures, strict=True))
    return (shares, table("|#Before|#After", rows))


def _figures(side: Side) -> list[tuple[str, Cell]]:
    return [
        ("Taken by the toolchain", yes_or_no(side.accepted)),
        ("Nodes", Cell(str(side.nodes))),
        *((f"… {device}", Cell(str(count))) for device, count in counts(side)),
        ("BPU segments", Cell(str(side.segments))),
        ("MACs", Cell(amount(side.macs))),
        ("MACs on the BPU", Cell(percent(side.mac_coverage))),
        ("Latency", Cell(interval(side.latency_ms))),
        ("BPU time per frame", Cell(interval(side.bpu_ms))),
    ]


def _latency(document: RunDocument) -> tuple[Block, ...]:
    drawn = [
        *bars("latency", document.before.latency_ms, document.after.latency_ms),
        *bars("BPU", document.before.bpu_ms, document.after.bpu_ms),
    ]
    if not drawn:
        return (Note(document.speedup_reason, "warn"),) if document.speedup_reason else ()
    speed = Note(f"Speedup {interval(document.speedup, 'x')}, from the nodes that changed.")
    why = Note(f"No speedup can be stated: {document.speedup_reason}.", "muted")
    notes = ((speed,) if document.speedup else ()) + ((why,) if document.speedup_reason else ())
    return (Bars("Predicted time, low to high", "ms", tuple(drawn)), *notes)


def _bpu(document: RunDocument) -> tuple[Span | None, Span | None]:
    return document.before.bpu_ms, document.after.bpu_ms


def bars(label: str, before: Span | None, after: Span | None) -> list[Bar]:
    """A time before and after as intervals of a chart; those that are not known are left out."""
    pairs: list[tuple[str, Span | None, Tone]] = [("before", before, "muted"), ("after", after, "good")]
    return [
        Bar(f"{label} {when}", span.low or 0.0, span.mid, span.high or span.mid, tone)
        for when, span, tone in pairs
        if span is not None and span.mid is not None
    ]


def _passes(rows: Sequence[PassRow]) -> tuple[Block, ...]:
    head = "Pass|Purpose|Exactness|#Applied|#Seconds|Status|#Step drift|#Total drift"
    why = (Note(f"{row.name}: {row.status}, {row.reason}", STATUS[row.status]) for row in rows if row.reason)
    return (table(head, map(_pass, rows)), *why)


def _pass(row: PassRow) -> list[Cell | str]:
    applied = f"{row.applied} of {row.matched}" if row.matched else "0"
    status = Cell(row.status, STATUS[row.status])
    drift = [number(row.drift_step), number(row.drift_total)]
    return [code(row.name), row.purpose, row.exactness, applied, f"{row.seconds:.2f}", status, *drift]


def _numbers(document: RunDocument) -> tuple[Block, ...]:
    said = f"Verified: {document.verified}." + (f" {document.verified_reason}" if document.verified_reason else "")
    notes = (Note(said, VERIFIED[document.verified]), *_widened(document.passes))
    return notes if document.drift is None else (*notes, *drift_blocks(document.drift))


def _widened(rows: Sequence[PassRow]) -> list[Note]:
    """One note per output whose bound is not the usual one; the noise is the original's, the same for all passes."""
    bounds = {bound.output: bound for row in rows for bound in row.widened}
    return [
        Note(
            f"Output {b.output} is noisy by itself: what counts as rounding goes up to "
            f"{'anything' if b.bound is None else number(b.bound)} in {plural(b.channels, 'channel')}.",
            "warn",
        )
        for b in bounds.values()
    ]


def _accuracy(accuracy: Accuracy | None) -> tuple[Block, ...]:
    if accuracy is None:
        return ()
    names = dict.fromkeys([*accuracy.before, *accuracy.after])
    rows = ((n, number(accuracy.before.get(n), 5), number(accuracy.after.get(n), 5)) for n in names)
    return (table("Metric|#Before|#After", rows, f"Measured by {accuracy.evaluator}"),)


def _thinned(document: RunDocument) -> tuple[Block, ...]:
    if document.plan_reason:
        return (Note(f"No plan for the original weights can be stated: {document.plan_reason}.", "warn"),)
    rows = ((code(w.weight), w.node, _sizes(w.before), _sizes(w.after)) for w in document.thinned)
    head = "Weight|Read by|Shape before|Shape after"
    return (table(head, rows, "The plan beside the model says which indices stay"),) if document.thinned else ()


def _sizes(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _interface(io: Interface) -> tuple[Block, ...]:
    if not io.changed:
        return (Note("Unchanged in name, order, type and shape.", "good"),)
    removed = table("Taken off the graph", ((code(name),) for name in io.removed))
    ports = [("input", port) for port in io.inputs] + [("output", port) for port in io.outputs]
    left = table("Port|Name|Type|Shape", ((side, code(p.name), p.dtype, _shape(p)) for side, p in ports))
    return (removed, left) if io.removed else (left,)


def _host_code(files: Sequence[str]) -> tuple[Block, ...]:
    rows = ((code(file),) for file in files)
    return (table("Host code, compared with what was taken off", rows),) if files else ()


def _shape(port: Port) -> str:
    if port.shape is None:
        return "unknown rank"
    return "×".join("?" if dim is None else str(dim) for dim in port.shape) or "scalar"


def _edits(edits: Sequence[Edit]) -> tuple[Block, ...]:
    rows = ((e.kind, code(listed(e.old)), code(listed(e.new)), code(e.by), code(e.rule)) for e in edits)
    return (table("Kind|Nodes before|Nodes after|Pass|Rule", rows),) if edits else ()


def _replay(document: RunDocument) -> tuple[Block, ...]:
    rows = [(key, code(_flat(value))) for key, value in document.replay.items()]
    digest = [("model sha256", code(document.model.sha256))] if document.model.sha256 else []
    return (table("Setting|Value", digest + rows),) if digest or rows else ()


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_flat, value))
    return str(value)
