"""``surgery cost --report``: in the format of the suffix, refused before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Surgery


def test_a_report_in_each_format(surgery: Surgery) -> None:
    files = [word for name in ("r.html", "r.md", "r.json") for word in ("--report", name)]
    assert surgery("cost", "clean.onnx", "-m", "X5", "-q", *files).code == 0
    assert "Under the roofline" in Path("r.html").read_text("utf-8")
    assert "## Segment by segment" in Path("r.md").read_text("utf-8")
    data = json.loads(Path("r.json").read_text("utf-8"))
    assert (data["schema"], data["ceilings"]["engine"]) == ("surgery.cost/1", "dense")


def test_several_models_are_one_page(surgery: Surgery) -> None:
    called = surgery("cost", "clean.onnx", "pooled.onnx", "negated.onnx", "-m", "X5", "-q", "--report", "r.html")
    assert called.code == 0
    assert Path("r.html").read_text("utf-8").count("<article") == 3


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("r.pdf", "no report format for '.pdf'"),
        ("gone/r.html", "cannot be written"),
        ("clean.html", "is a model, or another result"),
    ],
)
def test_places_that_are_refused_leave_every_file(file: str, told: str, surgery: Surgery) -> None:
    Path("clean.onnx").rename("clean.html")
    before = Path("clean.html").read_bytes()
    called = surgery("cost", "clean.html", "-m", "X5", "--report", file)
    assert called.code == 2
    assert told in " ".join(called.err.split())
    assert called.out == ""
    assert Path("clean.html").read_bytes() == before
    assert not Path("r.pdf").exists()
