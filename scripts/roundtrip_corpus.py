"""Load and save every model of the corpus, without any pass, and look for what is lost.

usage: roundtrip_corpus.py [--only GLOB]... [--large] [--jobs N] [--all-notes]

A model that ``onnx.checker`` accepts has to come back with bit-identical outputs (onnxruntime, seeded inputs, graph
optimisation off) and with nothing lost that its ``normalised`` does not say. One that the checker refuses has to be
refused with one message, or put right with a note that says so. Prints a line per model and one summary; exits with
1 when any model fails.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import corpus
import numpy as np
import onnx
import structure

from surgery.errors import DefectError, SurgeryError
from surgery.ir import Model
from surgery.ir.session import SessionError, open_file


class Row(NamedTuple):
    """One model: ``same``, ``unrun`` (onnxruntime does not run it), ``refused``, ``repaired`` or ``FAILED``."""

    status: str
    detail: str
    notes: int = 0
    seconds: float = 0.0


def examine(item: corpus.Item) -> Row:
    """Load, save, compare."""
    path = item.filled()
    complaint = _complaint(path)
    start = time.perf_counter()
    try:
        model = Model.load(path)
    except DefectError as error:
        return Row("FAILED", f"defect: {error}")
    except SurgeryError as error:
        return _refusal(str(error), complaint)
    with tempfile.TemporaryDirectory(dir=corpus.CACHE) as folder:
        out = Path(folder) / "out.onnx"
        model.save(out)
        seconds = time.perf_counter() - start
        status, detail = _judge(item, path, out, model.normalised, complaint)
    return Row(status, detail, len(model.normalised), seconds)


def _complaint(path: Path) -> str:
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        return " ".join(str(error).split())[:120]
    return ""


def _refusal(message: str, complaint: str) -> Row:
    line = " ".join(message.split())
    return Row("refused", line) if complaint else Row("FAILED", f"refused though the checker accepts it: {line}")


def _judge(item: corpus.Item, path: Path, out: Path, notes: list[str], complaint: str) -> tuple[str, str]:
    if still := _complaint(out):
        return "FAILED", f"onnx.checker refuses what was saved: {still}"
    lost = structure.unreported(onnx.load(path), onnx.load(out), notes)
    if lost:
        return "FAILED", f"{len(lost)} losses, first {'; '.join(lost[:3])}"
    if complaint and not notes:
        return "FAILED", f"accepted without a note, though: {complaint}"
    ran, detail = _outputs(item, path, out)
    if ran == "FAILED":
        return ran, detail
    return ("repaired", complaint) if complaint else (ran, detail)


def _outputs(item: corpus.Item, path: Path, out: Path) -> tuple[str, str]:
    try:
        reference = _run(item, path)
    except SessionError as error:
        return "unrun", error.what[:120]
    try:
        candidate = _run(item, out)
    except SessionError as error:
        return "FAILED", f"ran before, now: {error.what}"
    wrong = [key for key in reference if key not in candidate or not _same(reference[key], candidate[key])]
    if reference.keys() == candidate.keys() and not wrong:
        return "same", ""
    return "FAILED", f"outputs differ: {', '.join(wrong or map(str, candidate.keys() ^ reference.keys()))}"


def _run(item: corpus.Item, path: Path) -> dict[str, corpus.Array]:
    """The outputs at the indexed shapes, and at the second ones of a dynamic model."""
    import onnxruntime

    onnxruntime.set_seed(0)
    session = open_file(path)
    found = dict(session.run(item.draw(0)))
    if item.alt:
        found.update({f"{name} (alt)": value for name, value in session.run(item.draw(1, alt=True)).items()})
    return found


def _same(a: corpus.Array, b: corpus.Array) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes() if a.dtype != object else bool(np.array_equal(a, b))


def main() -> int:
    """Run over the corpus; the number of failures decides the exit code."""
    corpus.need_corpus()
    options = corpus.arguments(__doc__).parse_args()
    models = list(corpus.items(options.only or ["*"], large=options.large))
    corpus.CACHE.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    print(f"{'model':64} {'status':8} {'notes':>5} {'s':>6}  detail")
    for item, result in corpus.over(examine, models, options.jobs, options.seconds):
        row = Row("FAILED", result.reason) if isinstance(result, corpus.Failed) else result
        counts[row.status] += 1
        print(f"{item.name:64.64} {row.status:8} {row.notes:5} {row.seconds:6.2f}  {row.detail}", flush=True)
    said = ", ".join(f"{counts[s]} {s}" for s in ("same", "unrun", "repaired", "refused", "FAILED") if counts[s])
    print(f"{len(models)} models: {said or 'nothing to do'}")
    return int(counts["FAILED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
