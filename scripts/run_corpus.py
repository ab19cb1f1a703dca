"""Run the default pipeline on every model of the corpus that onnxruntime runs, and look for what breaks.

usage: run_corpus.py [--march M]... [--only GLOB]... [--large] [--jobs N] [--samples N] [--again]

Prints per model and march: nodes, nodes on the CPU, segments and latency before and after, drift of the outputs
(largest difference of a channel over its scale), seconds, and the passes that applied, were rolled back or failed.
A model fails when the run crashes, when the result is no model or does not run, when an output leaves the bound of
its exactness, when inputs or outputs changed in name, order, type or shape, or (with --again) when running on the
result changes it. Ends with one summary line; exits with 1 when any model fails.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import corpus
import onnx

from surgery.drift.judge import judge
from surgery.drift.metrics import compare
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.ir.session import SessionError, open_file, open_session
from surgery.pipeline.result import PassResult, RunResult, Status
from surgery.pipeline.run import run
from surgery.pipeline.state import State
from surgery.rewrite import weakest

Outputs: TypeAlias = "dict[str, corpus.Array]"
MARCHES = ("bernoulli2", "bayes-e", "nash-e")


class Row(NamedTuple):
    """One run: ``ok``, ``partly`` (not fully verified), ``unrun`` (not by onnxruntime), ``refused`` or ``FAILED``."""

    status: str
    detail: str
    before: str = ""
    after: str = ""
    drift: float | None = None
    seconds: float = 0.0
    passes: str = ""


def examine(item: corpus.Item, march: str, samples: int, again: bool) -> Row:
    """Run the pipeline and hold the result against the file."""
    path = item.filled()
    try:
        reference = open_file(path).run(item.draw(0))
    except SessionError as error:
        return Row("unrun", error.what[:100])
    try:
        result = run(path, march=march, samples=samples, input_shapes=item.shapes, input_ranges=item.ranges)
    except SurgeryError as error:
        valid = not _complaint(path)
        return Row("FAILED" if valid else "refused", f"exit {error.exit_code}: {' '.join(str(error).split())}")
    with tempfile.TemporaryDirectory(dir=corpus.CACHE) as folder:
        out = Path(folder) / "out.onnx"
        result.model.save(out)
        trouble = _trouble(item, result, out, reference, again)
    status = "FAILED" if trouble else "ok" if result.verified == "full" else "partly"
    drift = max((d.worst_rel for d in result.drift.outputs), default=None) if result.drift else None
    reasons = "; ".join(result.reasons)
    states = (_state(result.before), _state(result.after))
    return Row(status, trouble or reasons, *states, drift, result.seconds, _passes(result))


def _complaint(path: Path) -> str:
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        return str(error)
    return ""


def _trouble(item: corpus.Item, result: RunResult, out: Path, reference: Outputs, again: bool) -> str:
    """What is wrong with the saved model; "" when nothing is."""
    if failed := [r for r in result.passes if r.status in (Status.FAILED, Status.ROLLED_BACK)]:
        return f"{failed[0].name} {failed[0].status}: {failed[0].reason}"
    if complaint := _complaint(out):
        return f"onnx.checker: {' '.join(complaint.split())}"
    saved = Model.load(out)
    if trouble := _moved(result.original, saved) or _outputs(item, result, out, reference):
        return trouble
    return _restless(run(saved, march=result.target, verify="off")) if again else ""


def _outputs(item: corpus.Item, result: RunResult, out: Path, reference: Outputs) -> str:
    """What is wrong with the numbers of the file: they are those that were verified, and of the promised exactness."""
    try:
        found = open_file(out).run(item.draw(0))
        verified = open_session(result.model).run(item.draw(0))
    except SessionError as error:
        return f"does not run: {error.what}"
    if any(reason.startswith("random") for reason in result.reasons):
        return ""
    if not (verdict := judge("exact", compare([(verified, found)]))).ok:
        return f"saving changed the numbers: {verdict.reason}"
    exactness = promise(result.passes)
    if exactness == "exact" or result.verified != "full":
        verdict = judge(exactness, compare([(reference, found)]))
    return "" if verdict.ok else f"against the file as given: {verdict.reason}"


def promise(passes: list[PassResult]) -> str:
    """The weakest promise among the applied passes."""
    return weakest([r.exactness for r in passes if r.status is Status.APPLIED]).value


def _restless(second: RunResult) -> str:
    """What a run on the result of a run still found to do."""
    found = [r.name for r in second.passes if r.status is not Status.UNCHANGED and r.applied]
    return f"a second run still applies {', '.join(found)}" if found else ""


def _moved(before: Model, after: Model) -> str:
    """How inputs and outputs changed."""
    for kind, old, new in (("inputs", before.graph.inputs, after.graph.inputs),
                           ("outputs", before.graph.outputs, after.graph.outputs)):  # fmt: skip
        faces = [[(t.name, str(t.dtype), t.shape) for t in tensors] for tensors in (old, new)]
        if faces[0] != faces[1]:
            return f"{kind} changed: {faces[0]} became {faces[1]}"[:300]
    return ""


def _state(state: State) -> str:
    summary = state.placement.summary()
    known = state.estimate is not None and state.estimate.latency_ms.known
    latency = f"{state.estimate.latency_ms.mid:.2f}" if state.estimate and known else "?"
    return f"{summary.nodes:4}/{summary.cpu + summary.refused:3}/{summary.segments:2} {latency:>8}"


def _passes(result: RunResult) -> str:
    """The passes that did something: how many matches, or what became of them."""
    said = []
    for r in result.passes:
        if r.status is Status.APPLIED:
            said.append(f"{r.name} {r.applied}")
        elif r.status in (Status.ROLLED_BACK, Status.FAILED):
            said.append(f"{r.name} {r.status}")
    return ", ".join(said)


def main() -> int:
    """Run over the corpus; the number of failures decides the exit code."""
    corpus.need_corpus()
    parser = corpus.arguments(__doc__)
    parser.add_argument("--march", action="append", help=f"repeatable; by default {', '.join(MARCHES)}")
    parser.add_argument("--samples", type=int, default=1, help="inputs per model")
    parser.add_argument("--again", action="store_true", help="run on the result, too: nothing may be left to do")
    options = parser.parse_args()
    models = list(corpus.items(options.only or ["*"], large=options.large))
    corpus.CACHE.mkdir(parents=True, exist_ok=True)
    totals: Counter[str] = Counter()
    for march in options.march or MARCHES:
        print(f"== {march} (nodes/CPU/segments latency in ms, before and after)")
        work = partial(examine, march=march, samples=options.samples, again=options.again)
        for item, result in corpus.over(work, models, options.jobs, options.seconds):
            row = Row("FAILED", result.reason) if isinstance(result, corpus.Failed) else result
            totals[row.status] += 1
            _print(item, row)
    said = ", ".join(f"{totals[s]} {s}" for s in ("ok", "partly", "unrun", "refused", "FAILED") if totals[s])
    print(f"{sum(totals.values())} runs: {said or 'nothing to do'}")
    return int(totals["FAILED"] > 0)


def _print(item: corpus.Item, row: Row) -> None:
    drift = "" if row.drift is None else f"{row.drift:.1e}"
    states = f"{row.before:>20} {row.after:>20}"
    said = " | ".join(filter(None, (row.passes, row.detail)))
    print(f"{item.name:56.56} {row.status:7} {states} {drift:>8} {row.seconds:6.1f}  {said}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
