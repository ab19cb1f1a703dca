"""The scripts in ``examples/`` run, at small sizes."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from surgery.ir import Model
from tests.support import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> int:
    """Exit code of an example, whose arguments are those of the command line."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    found = runpy.run_path(str(ROOT / "examples" / name))
    return int(found["main"]() or 0)


def test_every_example_is_run_here_and_named_where_users_look() -> None:
    here = Path(__file__).read_text("utf-8")
    pages = [(ROOT / page).read_text("utf-8") for page in ("README.md", "docs/training.md", "docs/tradeoff.md")]
    assert len(EXAMPLES) == 3
    for example in EXAMPLES:
        assert f'"{example.name}"' in here
        assert any(f"examples/{example.name}" in page for page in pages)
        assert f"python examples/{example.name}" in example.read_text("utf-8")


def test_the_shipped_model_is_fitted_to_a_chip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "fit_digits.py", tmp_path / "new" / "folder") == 0
    out = capsys.readouterr().out
    assert "as given    accepted: False, 5 nodes on the CPU" in out
    assert "rewritten   accepted: True, 0 nodes on the CPU" in out
    assert Model.load(tmp_path / "new" / "folder" / "digits.onnx").opset == 11
    assert {file.suffix for file in (tmp_path / "new" / "folder" / "host").iterdir()} >= {".py", ".hpp"}


def test_variants_are_searched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "search_digits.py", tmp_path / "s.html", "--trials", 2, "--float") == 0
    assert re.search(r"^ +\d  \d\.\d{3} ms  0\.9\d{3}    \S", capsys.readouterr().out, re.MULTILINE)
    assert "<html" in (tmp_path / "s.html").read_text("utf-8")


def test_a_network_is_pruned_to_a_latency_and_trained_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("--epochs", 1, "--tune", 1, "--wide", 256, "--images", 256, "--share", 0.96)
    assert run(monkeypatch, "prune_digits.py", *sizes) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12].strip() for line in lines] == ["trained", "pruned", "trained on"]
    before, after, tuned = (float(re.findall(r"([\d.]+) ms", line)[0]) for line in lines)
    assert 0.8 * before < after <= 0.96 * before + 1e-3
    assert tuned == after
    assert all(0 <= float(re.findall(r"([\d.]+) % right", line)[0]) <= 100 for line in lines)
