"""Bring every model of the corpus past the door of a march's toolchain; tell what is taken, and why the rest is not.

usage: fit_corpus.py [--march M]... [--only GLOB]... [--witness [DIR]] [--out FILE.csv] [--jobs N] [--seconds S]

Per model and march: opset, and whether the toolchain takes it, as exported and after `surgery run` with the shapes of
the corpus's index; verified or not, the drift of its outputs; nodes on the CPU and segments. What the march runs on
request (Softmax) is asked onto the BPU; models that are quantised in the body are made float (lift-quantisation,
rel_to_range under 0.2). "Taken" is this project's own word from the march's data; with --witness the vendor's toolchain
is asked about both files, too. A model comes out whole when it is valid for onnx.checker, static, at an opset and IR
version of the march, with every output within its bound; it fits when it is taken and one BPU segment holds all but
what stands at its edges. Prints a line each and the totals per folder; --out writes the table, and goes on where it
ends.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import corpus
import onnx

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.pipeline.result import Status
from surgery.target import Target, load_target
from surgery.toolchain import Answer, Witness
from surgery.toolchain.config import Options
from surgery.toolchain.install import MARCHES
from surgery.toolchain.results import Placement

CHECK_SECONDS = 300.0
LIFTED: dict[str, Any] = {"add": ["lift-quantisation"], "budget": {"rel_to_range": 0.2}}
QUANTISED = 2
"""Quantise nodes that may stand at the inputs and outputs of a float model."""


class Row(NamedTuple):
    """One model on one march.

    ``before``, ``taken``, ``fits_before`` and ``fits`` are 1 or 0, the ``witness_`` ones "" when it was not asked.
    """

    model: str
    march: str
    opset: int = 0
    before: int = 0
    to_opset: int = 0
    to_ir: int = 0
    taken: int = 0
    reason: str = ""
    verified: str = ""
    drift: str = ""
    cpu: int = 0
    segments: int = 0
    seconds: float = 0.0
    witness_before: str = ""
    witness_taken: str = ""
    witness_reason: str = ""
    witness_cpu: str = ""
    witness_segments: str = ""
    fits_before: int = 0
    fits: int = 0
    witness_fits_before: str = ""
    witness_fits: str = ""


class Made(NamedTuple):
    """A row, the file that came out (None when none did), and its nodes to be asked onto the BPU."""

    row: Row
    file: Path | None
    asked: tuple[str, ...] = ()


def fit(item: corpus.Item, march: str, folder: Path) -> Made:
    """Run the default pipeline on one model and look at what comes out."""
    path = item.filled()
    target = load_target(march)
    try:
        original = Model.load(path)
    except SurgeryError as error:
        return Made(Row(item.name, march, reason=f"refused: {_line(error)}"), None)
    begun = Row(item.name, march, original.opset, int(not target.refusals(original)))
    try:
        done = surgery.run(
            path, march=march, samples=1, input_shape=item.shapes, input_range=item.ranges,
            run_on_bpu=_on_request(original, target), **(LIFTED if _is_quantised(original) else {}),
        )  # fmt: skip
    except SurgeryError as error:
        return Made(begun._replace(reason=f"refused: {_line(error)}"), None)
    file = folder / f"{item.name.replace('/', '__')}.{march}.onnx"
    done.save(file)
    before, after = done.report.before, done.report.after
    ops = _on_request(done.model, target)
    return Made(
        begun._replace(
            to_opset=done.model.opset,
            to_ir=done.model.ir_version,
            taken=int(not target.refusals(done.model)),
            reason="; ".join(_trouble(done, file)),
            verified=done.report.verified,
            drift=_drift(done),
            cpu=after.cpu,
            segments=after.segments,
            seconds=round(done.result.seconds, 1),
            fits_before=int(before.accepted and before.segments == 1),
            fits=int(after.accepted and after.segments == 1),
        ),
        file,
        tuple(node.name for node in done.model.nodes() if node.op in ops),
    )


def _on_request(model: Model, target: Target) -> list[str]:
    """The operators of ``model`` that the march runs on request."""
    held = {node.op for node in model.nodes()}
    return [op for op in target.on_request if op in held and op == "Softmax"]


def _is_quantised(model: Model) -> bool:
    """Whether it computes with quantised values between its edges."""
    return sum(node.op.startswith("QLinear") or node.op == "QuantizeLinear" for node in model.nodes()) > QUANTISED


def _trouble(done: surgery.Run, file: Path) -> Iterator[str]:
    """What keeps the result from being fit, a phrase each."""
    for refusal in load_target(done.report.march).refusals(done.model):
        yield f"{refusal.rule} {refusal.found}"
    for result in done.result.passes:
        if result.status in (Status.FAILED, Status.ROLLED_BACK) or (
            result.name == "lower-opset" and result.status is Status.REFUSED
        ):
            yield f"{result.name} {result.status}: {result.reason}"
    if not all(value.is_static for value in (*done.model.graph.inputs, *done.model.graph.outputs)):
        yield "inputs or outputs are not static"
    try:
        onnx.checker.check_model(str(file))
    except onnx.checker.ValidationError as error:
        yield f"onnx.checker: {_line(error)}"


def _drift(done: surgery.Run) -> str:
    outputs = done.report.drift.outputs if done.report.drift else ()
    worst = max((o.rel_to_range for o in outputs if o.rel_to_range is not None), default=None)
    return "" if worst is None else f"{worst:.1e}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def witnessed(witness: Witness, item: corpus.Item, made: Made) -> Row:
    """The row with the toolchain's own word on the file as exported and on what came out."""
    row, march = made.row, made.row.march
    before = witness.check(item.filled(), march, shapes=item.shapes, limit=CHECK_SECONDS)
    fits = before.refusal is None and before.placement is not None and len(_segments(before.placement)) == 1
    row = row._replace(witness_before=str(int(before.refusal is None)), witness_fits_before=str(int(fits)))
    if made.file is None:
        return row._replace(witness_taken="0", witness_fits="0")
    if not made.asked:
        return _said(row, witness.check(made.file, march, limit=CHECK_SECONDS))
    options = Options("O0", run_on_bpu=made.asked)  # the checker has no such request
    return _said(row, witness.compile(made.file, march, options, limit=CHECK_SECONDS))


def _said(row: Row, answer: Answer) -> Row:
    if answer.refusal is not None or answer.placement is None:
        reason = answer.refusal.text if answer.refusal else "no table"
        return row._replace(witness_taken="0", witness_fits="0", witness_reason=reason)
    count = len(_segments(answer.placement))
    cpu = sum(line.device == "cpu" for line in answer.placement.rows)
    return row._replace(
        witness_taken="1", witness_cpu=str(cpu), witness_segments=str(count), witness_fits=str(int(count == 1))
    )


def _segments(placement: Placement) -> set[int]:
    return {line.segment for line in placement.rows if line.segment is not None}


def main() -> int:
    """Fit the corpus; exit with 1 when a run crashed."""
    corpus.need_corpus()
    parser = corpus.arguments(__doc__)
    parser.add_argument("--march", action="append", help=f"repeatable; by default {', '.join(MARCHES)}")
    parser.add_argument("--witness", nargs="?", const="auto", help="ask the vendor's toolchain, too")
    parser.add_argument("--out", type=Path, help="write the table there", metavar="FILE.csv")
    options = parser.parse_args()
    models = list(corpus.items(options.only or ["*"], large=options.large))
    corpus.CACHE.mkdir(parents=True, exist_ok=True)
    witness = Witness(surgery.toolchain.find(options.witness)) if options.witness else None
    rows = _read(options.out)
    known = {(row.model, row.march) for row in rows}
    with tempfile.TemporaryDirectory(dir=corpus.CACHE) as folder:
        for march in options.march or MARCHES:
            work = partial(fit, march=march, folder=Path(folder))
            new = [item for item in models if (item.name, march) not in known]
            for item, result in corpus.over(work, new, options.jobs, options.seconds):
                made = Made(Row(item.name, march, reason=f"CRASHED: {result.reason}"), None) if isinstance(
                    result, corpus.Failed) else result  # fmt: skip
                rows.append(made.row if witness is None else witnessed(witness, item, made))
                if made.file is not None:
                    made.file.unlink()
                _print(rows[-1])
                _write(options.out, rows)
    _totals(rows)
    return int(any(row.reason.startswith("CRASHED") for row in rows))


def _print(row: Row) -> None:
    asked = f"witness {row.witness_before}>{row.witness_taken} {row.witness_cpu:>3}" if row.witness_taken else ""
    print(
        f"{row.model:50.50} {row.march:10} opset {row.opset:2}>{row.to_opset:2} taken {row.before}>{row.taken} "
        f"{row.drift:>8} {asked} {row.reason or row.witness_reason}",
        flush=True,
    )


def _write(out: Path | None, rows: list[Row]) -> None:
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerows([Row._fields, *rows])


def _read(out: Path | None) -> list[Row]:
    """The rows that are in the table already."""
    if out is None or not out.exists():
        return []
    with out.open(newline="") as file:
        return [Row(**{name: _typed(name, text) for name, text in line.items()}) for line in csv.DictReader(file)]


def _typed(name: str, text: str) -> Any:
    kind = type(Row._field_defaults.get(name, text))
    return kind(text)


def _totals(rows: list[Row]) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        group = (row.march, row.model.partition("/")[0])
        said = {"models": 1, "before": row.before, "taken": row.taken, "whole": int(not row.reason)}
        said |= {"fits_before": row.fits_before, "fits": row.fits}
        if row.witness_taken:
            names = ("before", "taken", "fits_before", "fits")
            said |= {f"witness_{name}": int(getattr(row, f"witness_{name}")) for name in names}
        counts.update({(*group, name): count for name, count in said.items()})
    for group in sorted({key[:2] for key in counts}):
        print(" ".join(group), ", ".join(f"{key[2]} {counts[key]}" for key in counts if key[:2] == group))


if __name__ == "__main__":
    sys.exit(main())
