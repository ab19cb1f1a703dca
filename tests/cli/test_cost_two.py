"""``surgery cost A B``: both totals, then the comparison; other calls are as they are with one model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Surgery


def schemas(text: str) -> list[str]:
    data = json.loads(text)
    return [document["schema"] for document in data.get("documents", [data])]


def test_two_models_are_compared(surgery: Surgery) -> None:
    called = surgery("cost", "clean.onnx", "pooled.onnx", "-m", "X5")
    assert called.code == 0, called.err
    titles = ["Cost on bayes-e  clean.onnx", "Cost on bayes-e  pooled.onnx", "Cost of two models on bayes-e"]
    assert [called.out.index(title) for title in titles] == sorted(called.out.index(title) for title in titles)
    assert "Slowest nodes" not in called.out
    assert called.out.rstrip().splitlines()[-1] == "next: surgery diff clean.onnx pooled.onnx"
    assert "Slowest nodes" in surgery("cost", "clean.onnx", "pooled.onnx", "-m", "X5", "-v").out


def test_the_documents_of_both_and_of_the_comparison(surgery: Surgery) -> None:
    called = surgery("cost", "clean.onnx", "pooled.onnx", "-m", "X5", "--json", "-", "--report", "r.html")
    assert schemas(called.out) == ["surgery.cost/1", "surgery.cost/1", "surgery.cost-diff/1"]
    html = Path("r.html").read_text("utf-8")
    assert html.count("<article") == 3
    assert html.count("Under the roofline") == 2


@pytest.mark.parametrize(
    ("models", "marches", "count"),
    [
        (["clean.onnx", "pooled.onnx", "negated.onnx"], ["X5"], 3),
        (["clean.onnx", "pooled.onnx"], ["X5", "X3"], 4),
        (["clean.onnx", "clean.onnx"], ["X5"], 1),
        (["zoo"], ["X5"], 2),
        (["one", "clean.onnx"], ["X5"], 2),
    ],
)
def test_other_calls_cost_each_model(models: list[str], marches: list[str], count: int, surgery: Surgery) -> None:
    Path("zoo").mkdir()
    for name in ("clean.onnx", "pooled.onnx"):
        Path("zoo", name).write_bytes(Path(name).read_bytes())
    Path("one").mkdir()
    Path("one", "pooled.onnx").write_bytes(Path("pooled.onnx").read_bytes())
    options = [word for march in marches for word in ("-m", march)]
    called = surgery("cost", *models, *options, "--json", "-")
    assert schemas(called.out) == ["surgery.cost/1"] * count


def test_of_two_models_one_bad_one_is_told_and_nothing_compared(surgery: Surgery) -> None:
    Path("broken.onnx").write_bytes(b"no model at all")
    called = surgery("cost", "broken.onnx", "clean.onnx", "-m", "X5", "--json", "-")
    assert called.code == 2
    assert "broken.onnx" in called.err
    assert schemas(called.out) == ["surgery.cost/1"]


def test_sizes_hold_for_both(surgery: Surgery) -> None:
    Path("other.onnx").write_bytes(Path("dynamic.onnx").read_bytes())
    called = surgery("cost", "dynamic.onnx", "other.onnx", "-m", "X5", "--input-shape", "x=2x5", "--json", "-")
    assert [d["input_shape"] for d in json.loads(called.out)["documents"]] == [{"x": [2, 5]}] * 3
