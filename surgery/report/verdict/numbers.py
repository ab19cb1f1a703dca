"""What comparing numbers, explaining a pass and searching the guilty one come to."""

from __future__ import annotations

from surgery.pipeline import registry
from surgery.report.diff import DiffDocument
from surgery.report.text import listed, number, plural
from surgery.report.trace import BisectDocument, ExplainDocument
from surgery.report.verdict.closing import Closing, closing
from surgery.report.verdict.commands import beyond_default, command, on_march, requests, run_of, sized


@closing.register
def _(document: DiffDocument) -> Closing:
    broken = next((out for out in document.outputs if out.problem), None)
    if broken is not None:
        return Closing(False, f"Output {broken.name} cannot be compared: {broken.problem}.")
    if bad := document.first_bad:
        return Closing(
            False, f"The numbers differ, first at {bad.name}, computed by {bad.op} {bad.node}: {bad.reason}."
        )
    if all(out.bit_identical for out in document.outputs):
        return Closing(True, "Every output is bit-identical.")
    worst = max(document.outputs, key=lambda out: out.worst_rel or 0.0)
    said = f"at most {number(worst.worst_rel)} of a channel's range, at output {worst.name}"
    return Closing(True, f"The same numbers up to rounding: {said}.")


@closing.register
def _(document: ExplainDocument) -> Closing:
    fired = sum(reason.fires for reason in document.reasons)
    refused = len(document.reasons) - fired
    sentence = f"{document.by} would rewrite {plural(fired, 'node')} and leaves {refused} alone."
    added = [name for name in beyond_default(document.march, [document.by]) if name in registry.names()]
    return Closing(True, sentence, run_of(document, document.march, added) if fired else "")


@closing.register
def _(document: BisectDocument) -> Closing:
    if document.guilty is None:
        return Closing(True, "No pass breaks the numbers.", run_of(document, document.march))
    at = f", first with its match {document.match} at {listed(document.nodes)}" if document.match is not None else ""
    words = ["explain", *sized(document), "--pass", document.guilty, *on_march(document.march), *requests(document)]
    words += ["--node", document.nodes[0]] if document.nodes else []
    return Closing(False, f"{document.guilty} breaks the numbers{at}: {document.reason}.", command(*words))
