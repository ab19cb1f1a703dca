"""What cutting heads gains, and how exact the host code is: the table of docs/heads.md.

usage: heads_table.py [--measure] [--march M] [--only GLOB]... [--check]

With --measure, detectors of the shared corpus are run through the default pipeline without and with `cut-heads`, on one
sample with verification; the host code of the cut model is run as Python and, compiled by g++, as C++, on what the cut
model computes. Rows go into data/heads/heads.csv as they come, and it goes on where that ends. Otherwise the table is
written from that file; with --check nothing is written, and 1 is returned if the page is not current.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import corpus
import numpy as np
import page
from host_cpp import compile_headers

import surgery
from surgery.api import Run
from surgery.drift.metrics import Array
from surgery.errors import SurgeryError
from surgery.host.program import read_program
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.iomap import as_model
from surgery.pipeline.view import folded
from surgery.report.base import Span

ROOT = Path(__file__).resolve().parents[1]
PAGE, DATA = ROOT / "docs/heads.md", ROOT / "data/heads/heads.csv"
DETECTORS = (
    "models/ul_*", "models/own_anchor_decode_op11_dyn", "models/tv_retinanet_r50_op13", "models/tv_lraspp_op17",
    "real/r_FastestDet*", "real/r_Ultra-Light*320*", "latency/yolo*n", "latency/yolo*n_*", "latency/yolov5nu",
)  # fmt: skip


class Row(NamedTuple):
    """One model; times are estimates in ms, "" where there is none.

    ``python`` is the largest difference from onnxruntime over the range of a channel, ``cpp`` that of C++ from
    Python; 0 is bit-identical, "" says that there is no host code, ``note`` why.
    """

    model: str
    march: str
    head: str
    exported_ms: str
    default_ms: str
    cut_ms: str
    verified: str
    python: str = ""
    cpp: str = ""
    note: str = ""


def measured(item: corpus.Item, march: str) -> Row:
    """Run one model both ways."""
    path = item.filled()
    dynamic = any(not t.is_static for t in Model.load(path).graph.inputs)
    shapes = item.shapes if dynamic else None
    plain = surgery.run(path, march=march, verify="off", input_shape=shapes)
    done = surgery.run(
        path, march=march, add=["cut-heads"], input_shape=shapes, input_range=item.ranges, samples=1
    )  # fmt: skip
    cut = next(row for row in done.report.passes if row.name == "cut-heads")
    heads = done.result.io.heads if done.result.io else ()
    head = heads[0].family if heads else "CPU part" if cut.status == "applied" else "none"
    times = [_ms(r.latency_ms) for r in (plain.report.before, plain.report.after, done.report.after)]
    row = Row(item.name, march, head, times[0], times[1], times[2], done.report.verified)
    if cut.status != "applied":
        return row._replace(note=cut.reason)
    try:
        python, cpp = exactness(done)
    except SurgeryError as error:
        return row._replace(note=error.what)
    return row._replace(python=f"{python:.1e}", cpp=f"{cpp:.1e}")


def exactness(done: Run) -> tuple[float, float]:
    """Largest differences of the Python module from onnxruntime, and of the C++ header from the module."""
    io, opset = done.result.io, done.model.opset
    assert io is not None
    assert done.result.inputs is not None
    code = done.host_code("model")
    model = folded(as_model(io.epilogue, opset))
    program = read_program("epilogue", model, io.outputs)
    feeds = open_session(done.model).run(code.functions()["prologue"](done.result.inputs.samples[0]))
    known, found = open_session(model).run(feeds), code.functions()["epilogue"](feeds)
    with tempfile.TemporaryDirectory() as desk:
        compiled = compile_headers([code.cpp], [code.name], [program], Path(desk)).run(0, feeds)
    return _apart(known, found), _apart({name: found[name] for name in compiled}, compiled)


def _apart(known: Mapping[str, Array], found: Mapping[str, Array]) -> float:
    return max(_far(value, found[name]) for name, value in known.items())


def _far(value: Array, other: Array) -> float:
    """The largest difference over the range of its channel, axis 1 at rank 3 and more."""
    a, b = value.astype(np.float64), other.astype(np.float64)
    axes = tuple(axis for axis in range(a.ndim) if axis != 1) if a.ndim > len("NC") else None
    scale = a.max(axes, keepdims=True) - a.min(axes, keepdims=True)
    return float((np.abs(a - b) / np.maximum(scale, 1e-6)).max())


def _ms(span: Span | None) -> str:
    return "" if span is None or span.mid is None else f"{span.mid:.3g}"


def rows() -> list[Row]:
    """The rows that there are."""
    if not DATA.exists():
        return []
    with DATA.open(newline="") as file:
        return [Row(**line) for line in csv.DictReader(file)]


def measure(only: list[str], march: str, *, large: bool) -> None:
    """Measure what is not there yet."""
    found = rows()
    for item in corpus.items(only or DETECTORS, large=large, folders=("models", "latency", "real")):
        if any((row.model, row.march) == (item.name, march) for row in found):
            continue
        try:
            found.append(measured(item, march))
        except SurgeryError as error:
            found.append(Row(item.name, march, "none", "", "", "", "none", note=error.what))
        print(*found[-1], sep=", ", flush=True)
        DATA.parent.mkdir(parents=True, exist_ok=True)
        with DATA.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([Row._fields, *sorted(found)])


def lines() -> Iterator[str]:
    """The table."""
    yield "| model | march | head | exported, ms | default, ms | cut, ms | verified | Python | C++ | |"
    yield "|---|---|---|--:|--:|--:|---|--:|--:|---|"
    yield from (f"| {' | '.join(row)} |" for row in rows())


def main() -> int:
    """Measure, or write the table."""
    parser = corpus.arguments(__doc__)
    parser.add_argument("--measure", action="store_true", help="measure what is not in the data yet")
    parser.add_argument("--check", action="store_true", help="only say whether the page is current")
    parser.add_argument("--march", default="bayes-e")
    options = parser.parse_args()
    if options.measure:
        corpus.need_corpus()
        measure(options.only or [], options.march, large=options.large)
        return 0
    return page.write(PAGE, "heads_table.py", "\n".join(lines()) + "\n")


if __name__ == "__main__":
    sys.exit(main())
