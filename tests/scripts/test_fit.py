"""fit_corpus.py on a corpus of the test's own, and the table that fit_table.py makes of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from tests.scripts.test_corpus import script
from tests.support import ROOT, proto_of

NEW = "g (float[N,4,8,8] x) => (float[N,4,8,8] y) { a = Softmax <axis = 1> (x)  y = Mul (a, a) }"
YOUNG = "g (float[1,2,4,4] x, float[1,4,4,2] at) => (float[1,2,4,4] y) { y = GridSample (x, at) }"
INVALID = "g (float[1,4] x) => (float[1,4] y) { y = NoSuchOperator (x) }"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """One model that can be fit, one that cannot, one that is no model."""
    folder = tmp_path / "corpus"
    (folder / "edge").mkdir(parents=True)
    for name, text in {"new": NEW, "young": YOUNG, "invalid": INVALID}.items():
        onnx.save(proto_of(text, opset=17), folder / "edge" / f"{name}.onnx")
    feed = {"name": "x", "shape": [2, 4, 8, 8], "dtype": "float32", "gen": "randn"}
    (folder / "index.json").write_text(json.dumps({"edge/new": {"inputs": [feed]}}))
    return folder


def test_every_model_ends_with_a_row(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "fit.csv"
    call = ("fit_corpus.py", "--march", "bayes-e", "--out", str(out), "--jobs", "1")
    ran = script(*call, corpus=own, cache=tmp_path / "cache")
    assert ran.code == 0, ran.errors
    assert ran.lines[-1] == "bayes-e edge models 3, before 0, taken 1, whole 1, fits_before 0, fits 1"
    with out.open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    new, young, invalid = (rows[f"edge/{name}"] for name in ("new", "young", "invalid"))
    assert (new["opset"], new["to_opset"], new["to_ir"], new["verified"], new["reason"]) == (
        "17",
        "11",
        "7",
        "full",
        "",
    )
    assert young["reason"].startswith("model.opset 17; lower-opset refused: GridSample: there is no GridSample")
    assert invalid["reason"].startswith("refused: ")
    again = script(*call, corpus=own, cache=tmp_path / "cache")
    assert again.lines == ran.lines[-1:]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fit_table as module

    monkeypatch.setattr(module, "DATA", tmp_path)
    return module


HEAD = "model,march,opset,before,to_opset,taken,reason,cpu,segments,witness_before,witness_taken,witness_reason,"
HEAD += "witness_cpu,witness_segments,fits_before,fits,witness_fits_before,witness_fits\n"


def test_what_is_said_of_a_model(table: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "bayes-e.csv").write_text(
        f"{HEAD}models/a,bayes-e,17,0,11,1,,3,2,0,1,,1,1,0,0,0,1\n"
        "models/b,bayes-e,11,1,11,1,,0,1,1,0,it <died|,,,1,1,1,0\n"
    )
    (tmp_path / "bayes.csv").write_text(f"{HEAD}models/a,bayes,17,0,11,1,,3,2,,,,,,0,0,,\n")
    found = {march: table.read(march) for march in ("bayes", "bayes-e")}
    assert list(table.totals(found))[2:] == [
        "| bayes (J5, Ultra) | models | 1 | 0 → 1 | 0 → 0 | not asked | not asked |",
        "| bayes-e (X5) | models | 2 | 1 → 2 | 1 → 1 | 1 → 1 | 1 → 1 |",
    ]
    assert list(table.models(found))[2:] == [
        "| models/a | 17 → 11 | taken: 3 on the CPU, 2 segments | taken: 1 on the CPU, 1 segments |",
        "| models/b | 11 | – | refused: it &lt;died\\| |",
    ]


def test_the_page_is_current(table: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "DATA", ROOT / "data/fit")
    monkeypatch.setattr("sys.argv", ["fit_table.py", "--check"])
    assert table.main() == 0
