"""What placing, estimating and rewriting a model come to."""

from __future__ import annotations

import math

from surgery.report.check import CheckDocument
from surgery.report.cost import CostDocument
from surgery.report.cost_diff import CostDiffDocument
from surgery.report.run import RunDocument
from surgery.report.text import interval, listed, plural
from surgery.report.verdict.closing import Closing, closing
from surgery.report.verdict.commands import (
    assumed_from,
    command,
    look_again,
    missing,
    on_march,
    path_of,
    requests,
    run_of,
    run_with,
    sized,
    told,
)
from surgery.report.verdict.findings import findings
from surgery.report.verdict.sentences import asked, takes, took


@closing.register
def _(document: CheckDocument) -> Closing:
    sentence = takes(document.march, document.accepted, document.refusals, document.summary, document.assumed)
    sentence += asked(document.run_on_bpu)
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
    return Closing(True, sentence, run_of(document, document.march))


@closing.register
def _(document: CostDiffDocument) -> Closing:
    drift = command("diff", path_of(document.before.model), path_of(document.after.model))
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
    sentence += asked(document.run_on_bpu)
    if document.verified != "full":
        reason = f" ({document.verified_reason})" if document.verified_reason else ""
        sentence = f"{sentence} Numbers verified: {document.verified}{reason}."
    return Closing(not findings(document), sentence, _after_run(document))


def _look(document: CheckDocument) -> str:
    if not document.accepted:
        return look_again(document, "-v")
    more = (*assumed_from(document), *told(document))
    return command("cost", *sized(document), "--march", document.march, *more)


def _check(document: CostDocument) -> str:
    return command("check", *sized(document), "--march", document.march, *told(document))


def _after_run(document: RunDocument) -> str:
    if document.output is None:
        return run_of(document, document.march)
    options = [*on_march(document.march), *requests(document)]
    if any(row.status in ("rolled-back", "failed") for row in document.passes):
        return command("bisect", *sized(document), *options)
    cures = (name for refusal in document.after.refusals for name in refusal.cured_by)
    if more := missing(cures, {row.name for row in document.passes}):
        return run_of(document, document.march, more)
    if document.violations or not document.after.accepted:
        return command("check", document.output, *options)
    return command("cost", document.output, *options)
