"""What a document comes to: the findings that decide the exit code, the closing sentence, and what to type next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import singledispatch
from pathlib import PurePath
from statistics import median
from typing import TypeAlias

from surgery.pipeline import Pipeline, registry
from surgery.report.base import Document, ModelRef
from surgery.report.calibration import CalibrationDocument
from surgery.report.check import Assumed, CheckDocument, Refusal, Summary
from surgery.report.config import ConfigDocument
from surgery.report.cost import CostDocument
from surgery.report.cost_diff import CostDiffDocument
from surgery.report.diff import DiffDocument
from surgery.report.lint import LintDocument
from surgery.report.profile import WORKS, ProfileDocument
from surgery.report.run import RunDocument
from surgery.report.text import interval, listed, number, percent, plural, visible
from surgery.report.trace import BisectDocument, ExplainDocument
from surgery.report.witness import WitnessSide

OfModel: TypeAlias = "CheckDocument | CostDocument | RunDocument | ExplainDocument | BisectDocument"


class Finding(StrEnum):
    """What makes a finished command exit 1; ``--fail-on`` narrows it."""

    REFUSED = "refused"
    CPU = "cpu"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"
    DRIFT = "drift"
    BUDGET = "budget"
    SETTINGS = "settings"
    FAILED = "failed"


@dataclass(frozen=True)
class Closing:
    """The last lines: whether all is well, one sentence, the command to type next ("" when there is none)."""

    good: bool
    sentence: str
    next: str = ""


@singledispatch
def findings(_document: Document) -> frozenset[Finding]:
    """What in the document makes the command exit 1; nothing for the catalogues."""
    return frozenset()


@singledispatch
def closing(_document: Document) -> Closing:
    """The closing of the document."""
    return Closing(True, "")


def _placed(accepted: bool, side: Summary) -> frozenset[Finding]:
    found = {
        Finding.REFUSED: not accepted or side.refused > 0,
        Finding.CPU: side.cpu > 0,
        Finding.UNKNOWN: side.unknown > 0,
    }
    return frozenset(finding for finding, there in found.items() if there)


def _outranked(ours: frozenset[Finding], witness: WitnessSide | None) -> frozenset[Finding]:
    """The findings about placement, the toolchain's own where it was asked and came as far as its table."""
    if witness is None:
        return ours
    found = {Finding.REFUSED: not witness.accepted, Finding.CPU: len(witness.cpu) > len(witness.own)}
    theirs = frozenset(finding for finding, there in found.items() if there)
    return theirs if witness.rows else ours | theirs


@findings.register
def _(document: CheckDocument) -> frozenset[Finding]:
    return _outranked(_placed(document.accepted, document.summary), document.witness.side if document.witness else None)


@findings.register
def _(document: RunDocument) -> frozenset[Finding]:
    found = {Finding.UNVERIFIED: document.verified != "full", Finding.BUDGET: bool(document.exceeded)}
    placed = _placed(document.after.accepted, document.after)
    placed = _outranked(placed, document.witness.after if document.witness else None)
    return placed | {finding for finding, there in found.items() if there}


@findings.register
def _(document: DiffDocument) -> frozenset[Finding]:
    return frozenset({Finding.DRIFT}) if drifted(document) else frozenset()


@findings.register
def _(document: BisectDocument) -> frozenset[Finding]:
    return frozenset({Finding.DRIFT}) if document.guilty else frozenset()


@findings.register
def _(document: ProfileDocument) -> frozenset[Finding]:
    return frozenset({Finding.CPU}) if document.bottleneck and document.bottleneck.on_cpu else frozenset()


@findings.register
def _(document: LintDocument) -> frozenset[Finding]:
    return frozenset({Finding.SETTINGS}) if document.left else frozenset()


@findings.register
def _(document: ConfigDocument) -> frozenset[Finding]:
    return frozenset() if document.accepted else frozenset({Finding.REFUSED})


def drifted(document: DiffDocument) -> bool:
    """Whether a value is further from the reference than rounding explains, or an output cannot be compared."""
    return document.first_bad is not None or any(out.problem for out in document.outputs)


@closing.register
def _(document: CheckDocument) -> Closing:
    sentence = takes(document.march, document.accepted, document.refusals, document.summary, document.assumed)
    sentence += _asked(document.run_on_bpu)
    if document.witness is not None:
        sentence = took(document.march, document.witness.side)
    curable = any(v.cured_by for row in document.nodes for v in row.violations)
    curable = curable or any(r.cured_by for r in document.refusals)
    cures = [name for r in document.refusals for name in r.cured_by]
    following = run_with(document, cures) if curable else _look(document)
    return Closing(not findings(document), sentence, following)


@closing.register
def _(document: CostDocument) -> Closing:
    if document.latency_ms is None:
        return Closing(False, f"No estimate for {document.march}: {document.reason}.", _check(document))
    if blank := [node for node in document.nodes if node.us.mid is None]:
        first = (
            f"{plural(len(blank), 'node')} without an estimate, {blank[0].name or blank[0].op} first: {blank[0].reason}"
        )
        sentence = f"One frame takes at least {interval(document.latency_ms)} on {document.march}: {first}."
        return Closing(False, sentence, _check(document))
    sentence = f"One frame takes {interval(document.latency_ms)} on {document.march}, host included."
    return Closing(True, sentence, _run(document, document.march))


@closing.register
def _(document: CostDiffDocument) -> Closing:
    drift = command("diff", _path(document.before.model), _path(document.after.model))
    if document.speedup is None or document.speedup.mid is None:
        return Closing(False, f"No speedup is stated for {document.march}: {document.reason}.", drift)
    low, high = document.speedup.low or 0.0, document.speedup.high or math.inf
    if math.isclose(low, 1) and math.isclose(high, 1):
        return Closing(True, f"Both models take the same time on {document.march}, as far as is estimated.", drift)
    said = f"The second model has {interval(document.speedup, 'x')} the speed of the first on {document.march}"
    if low <= 1 <= high:
        return Closing(True, f"{said}: which of them is faster is within the error of the estimates.", drift)
    return Closing(low > 1, f"{said}.", drift)


@closing.register
def _(document: RunDocument) -> Closing:
    if document.exceeded:
        return Closing(False, f"Over budget, nothing was written: {listed(document.exceeded)}.")
    sentence = takes(document.march, document.after.accepted, document.after.refusals, document.after)
    if document.witness is not None:
        sentence = took(document.march, document.witness.after)
    sentence += _asked(document.run_on_bpu)
    if document.verified != "full":
        reason = f" ({document.verified_reason})" if document.verified_reason else ""
        sentence = f"{sentence} Numbers verified: {document.verified}{reason}."
    return Closing(not findings(document), sentence, _after_run(document))


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
    default = {step.id for step in Pipeline.default(document.march).steps}
    added = [name for name in _missing([document.by], default) if name in registry.names()]
    return Closing(True, sentence, _run(document, document.march, added) if fired else "")


@closing.register
def _(document: CalibrationDocument) -> Closing:
    before, after = (median(document.errors(by)) for by in ("shipped", "left_out"))
    better = f"{'halves' if after <= before / 2 else 'lowers' if after < before else 'does not lower'} the error"
    said = f"The calibration {better} of models it has not seen: median {before:.1f} % to {after:.1f} %."
    return Closing(
        after < before, said, command("cost", "MODEL", *_march(document.written[0])) if document.written else ""
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
    against = ["--model", _path(document.model)] if document.model is not None else []
    return Closing(False, said, command("lint", document.path, *against, "--fix") if fixable else "")


@closing.register
def _(document: ConfigDocument) -> Closing:
    if document.accepted:
        return Closing(True, f"{document.tool} converts the model by it: {document.command}")
    first = command("check", _path(document.model), "--march", document.march)
    return Closing(False, f"{document.tool} will take the configuration, and refuse the model.", first)


@closing.register
def _(document: BisectDocument) -> Closing:
    if document.guilty is None:
        return Closing(True, "No pass breaks the numbers.", _run(document, document.march))
    at = f", first with its match {document.match} at {listed(document.nodes)}" if document.match is not None else ""
    words = ["explain", *_sized(document), "--pass", document.guilty, *_march(document.march)]
    words += ["--node", document.nodes[0]] if document.nodes else []
    return Closing(False, f"{document.guilty} breaks the numbers{at}: {document.reason}.", command(*words))


def _asked(globs: tuple[str, ...]) -> str:
    """That what is said holds where the toolchain is asked for it."""
    return f" Its YAML has to ask for {listed(globs)} on the BPU (run_on_bpu)." if globs else ""


def takes(
    march: str, accepted: bool, refusals: tuple[Refusal, ...], side: Summary, assumed: Assumed | None = None
) -> str:
    """Whether the toolchain of ``march`` will take the model, with what left, and on whose limits that rests."""
    if assumed is None or not assumed.nodes:
        return _takes(march, accepted, refusals, side, sure=not side.unknown)
    sentence = _takes(march, accepted, refusals, side, sure=False)
    return f"{sentence} The limits of {plural(assumed.nodes, 'node')} are assumed from {assumed.march}."


def _takes(march: str, accepted: bool, refusals: tuple[Refusal, ...], side: Summary, *, sure: bool) -> str:
    if not accepted:
        reasons = [f"{r.rule} is {r.found}, must hold: {r.text or r.allowed}" for r in refusals]
        reasons = reasons or [f"it fails on {plural(side.refused, 'node')}"]
        return f"The {march} toolchain will refuse the model: {listed(reasons)}."
    known = "will take the model" if sure else "takes the model as far as is known"
    return f"The {march} toolchain {known}: {_left(side)}."


def took(march: str, side: WitnessSide) -> str:
    """Whether the toolchain of ``march`` has taken the model, and with what left."""
    if not side.accepted:
        said = "was not done in time" if side.refusal == "timeout" else f"does not take the model ({side.refusal})"
        return f"The {march} toolchain was asked and {said}: {side.reason}"
    cpu = f"{plural(len(side.cpu), 'row')} on the CPU" if side.cpu else "nothing on the CPU"
    cpu += f" ({len(side.own)} put in by itself)" if side.own else ""
    time = "" if side.latency_us is None else f", {number(side.latency_us / 1000, 4)} ms on the BPU at {side.level}"
    segments = plural(side.segments, "BPU segment")
    return f"The {march} toolchain was asked and takes the model: {cpu}, {segments}{time}."


def _left(side: Summary) -> str:
    counts = [
        f"{plural(side.cpu, 'node')} on the CPU" if side.cpu else "nothing on the CPU",
        f"{plural(side.unknown, 'node')} unknown" if side.unknown else "",
        f"{plural(side.segments, 'BPU segment')}",
    ]
    return ", ".join(filter(None, counts))


def command(*words: str) -> str:
    """A ``surgery`` command line that a shell reads as ``words``, control characters made visible."""
    return shlex.join(["surgery", *(visible(word) for word in words)])


def _path(model: ModelRef | None) -> str:
    return "MODEL" if model is None or model.path is None else model.path


def _sized(document: OfModel) -> list[str]:
    """The model of the document with the sizes that were stated for it."""
    stated = (f"{name}={'x'.join(map(str, shape))}" for name, shape in document.input_shape.items())
    return [_path(document.model), *(word for text in stated for word in ("--input-shape", text))]


def _march(march: str | None) -> list[str]:
    return ["--march", march or "MARCH"]


def _assume(document: OfModel) -> list[str]:
    assumed = document.assumed if isinstance(document, CheckDocument) else None
    return ["--assume", assumed.march] if assumed else []


def _run(document: OfModel, march: str | None, more: Collection[str] = ()) -> str:
    path, *sizes = _sized(document)
    out = f"{PurePath(path).stem}.{march or 'MARCH'}.onnx"
    added = (word for name in more for word in ("--add", name))
    return command("run", path, "-o", out, *_march(march), *_assume(document), *_told(document), *sizes, *added)


def run_with(document: CheckDocument, cures: Iterable[str]) -> str:
    """The run whose pipeline holds the passes ``cures``: the default one, and those of them that are not in it."""
    default = {step.id for step in Pipeline.default(document.march).steps}
    return _run(document, document.march, _missing(cures, default))


def _missing(names: Iterable[str], present: Collection[str]) -> list[str]:
    """The passes that are not in the pipeline yet."""
    return list(dict.fromkeys(name for name in names if name not in present))


def look_again(document: CheckDocument, *more: str) -> str:
    """The check of the same model with further options."""
    return command("check", *_sized(document), "--march", document.march, *_assume(document), *_told(document), *more)


def _look(document: CheckDocument) -> str:
    if not document.accepted:
        return look_again(document, "-v")
    more = (*_assume(document), *_told(document))
    return command("cost", *_sized(document), "--march", document.march, *more)


def _check(document: CostDocument) -> str:
    return command("check", *_sized(document), "--march", document.march, *_told(document))


def _told(document: OfModel) -> list[str]:
    """The log that the document took verdicts from, and what the toolchain was asked for."""
    log = None if isinstance(document, BisectDocument) else document.log
    asked = document.run_on_bpu if isinstance(document, CheckDocument | CostDocument | RunDocument) else ()
    return [*([] if log is None else ["--log", log.path]), *(w for glob in asked for w in ("--run-on-bpu", glob))]


def _after_run(document: RunDocument) -> str:
    if document.output is None:
        return _run(document, document.march)
    if any(row.status in ("rolled-back", "failed") for row in document.passes):
        return command("bisect", *_sized(document), "--march", document.march)
    cures = (name for refusal in document.after.refusals for name in refusal.cured_by)
    if more := _missing(cures, {row.name for row in document.passes}):
        return _run(document, document.march, more)
    if document.violations or not document.after.accepted:
        return command("check", document.output, "--march", document.march)
    return command("cost", document.output, "--march", document.march)
