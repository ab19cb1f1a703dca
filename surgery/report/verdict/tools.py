"""What the files of the vendor's tools and measurements come to."""

from __future__ import annotations

from statistics import median

from surgery.report.calibration import CalibrationDocument
from surgery.report.config import ConfigDocument
from surgery.report.lint import LintDocument
from surgery.report.profile import WORKS, ProfileDocument
from surgery.report.text import number, percent, plural
from surgery.report.verdict.closing import Closing, closing
from surgery.report.verdict.commands import command, on_march, path_of


@closing.register
def _(document: CalibrationDocument) -> Closing:
    before, after = (median(document.errors(by)) for by in ("shipped", "left_out"))
    better = f"{'halves' if after <= before / 2 else 'lowers' if after < before else 'does not lower'} the error"
    said = f"The calibration {better} of models it has not seen: median {before:.1f} % to {after:.1f} %."
    return Closing(
        after < before, said, command("cost", "MODEL", *on_march(document.written[0])) if document.written else ""
    )


@closing.register
def _(document: ProfileDocument) -> Closing:
    worst = document.bottleneck
    following = next((advice.command for advice in document.advice if advice.command), "")
    if worst is None and document.latency_ms is None:
        return Closing(True, f"No time is told; {plural(len(document.cpu), 'row')} on the CPU.", following)
    if worst is None:
        return Closing(
            True, f"One frame takes {number(document.latency_ms)} ms; nothing tells of its parts.", following
        )
    share = f"{percent(worst.share)} of a frame"
    if worst.on_cpu is None:
        said = f"The compiler predicts {number(document.bpu_ms)} ms on the BPU; what the CPU takes is not told."
        return Closing(True, said, following)
    if worst.on_cpu:
        at = f", most at {worst.name}" if worst.name else ""
        return Closing(False, f"The CPU is the bottleneck: {WORKS[worst.work]} {share}{at}.", following)
    return Closing(True, f"The bottleneck is not on the CPU: {WORKS[worst.work]} {share}.", following)


@closing.register
def _(document: LintDocument) -> Closing:
    if (written := document.written) is not None:
        left = f"{plural(len(written.findings), 'finding')} left" if written.findings else "nothing left"
        said = f"{plural(len(written.edits), 'edit')} for {written.tool}, {left}: {written.path}"
        return Closing(not written.findings, f"{said}.", command("lint", written.path) if written.findings else "")
    takes = "will take the file" if document.accepted else "will refuse the file"
    if not document.findings:
        return Closing(True, f"{document.tool} {takes}, and nothing in it costs speed.")
    fixable = sum(row.fixable for row in document.findings)
    said = f"{document.tool} {takes}: {plural(len(document.findings), 'finding')}, {fixable} of them repaired by --fix."
    against = ["--model", path_of(document.model)] if document.model is not None else []
    return Closing(False, said, command("lint", document.path, *against, "--fix") if fixable else "")


@closing.register
def _(document: ConfigDocument) -> Closing:
    if document.accepted:
        return Closing(True, f"{document.tool} converts the model by it: {document.command}")
    first = command("check", path_of(document.model), "--march", document.march)
    return Closing(False, f"{document.tool} will take the configuration, and refuse the model.", first)
