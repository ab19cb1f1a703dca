"""Our placement beside tables of the test's own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT, model_of
from tests.test_overlaid import TEXT

HEAD = "node,on,subgraph,type,cosine,threshold,dtype\n"
ROWS = ("conv1,BPU", "pow,BPU", "conv2,BPU", "neg,CPU", "conv3,BPU")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import compare_vendor as module

    monkeypatch.setattr(module, "TABLES", tmp_path)
    monkeypatch.setattr(module.corpus, "CORPUS", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(sys, "argv", ["compare_vendor.py"])
    (tmp_path / "latency").mkdir()
    model_of(TEXT, opset=11).save(tmp_path / "latency/m.onnx")
    module.PAGE.write_text(f"head\n{module.page.begin('compare_vendor.py')}old{module.page.END}tail\n")
    return module


def write(script: ModuleType, rows: tuple[str, ...]) -> None:
    (script.TABLES / "m.csv").write_text(HEAD + "".join(f"{row},--,T,--,--,int8\n" for row in rows))


def test_all_alike(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    write(script, ROWS)
    assert script.main() == 0
    assert capsys.readouterr().out == "m: 5 nodes named, 5 placed alike (100.0 %)\n"
    assert "old" in script.PAGE.read_text()


def test_every_difference_is_told(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    write(script, ("conv1,BPU", "pow,CPU", "conv2,BPU", "conv3,CPU", "else,BPU"))
    assert script.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "m: 4 nodes named, 2 placed alike (50.0 %)",
        "     1 without a row: not explained",
        "  names of the table without a node: else",
        "  differs: pow (Pow): ours bpu, theirs cpu",
        "  differs: neg (Neg): ours cpu, no row",
        "  differs: conv3 (Conv): ours bpu, theirs cpu",
    ]


def test_the_page(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    write(script, ROWS)
    monkeypatch.setattr(sys, "argv", ["compare_vendor.py", "--check"])
    assert script.main() == 1
    monkeypatch.setattr(sys, "argv", ["compare_vendor.py", "--write"])
    assert script.main() == 0
    assert "| m | 5 | 5 | 100.0 | 0 | 0 |\n| all | 5 | 5 | 100.0 | 0 | 0 |" in script.PAGE.read_text()
    monkeypatch.setattr(sys, "argv", ["compare_vendor.py", "--write", "--only", "m"])
    with pytest.raises(SystemExit):
        script.main()


def test_without_the_tables(script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script.TABLES = tmp_path / "nowhere"
    assert script.main() == 0
    assert "nothing to compare with" in capsys.readouterr().out


def test_without_the_graph(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    (script.TABLES / "gone.csv").write_text(HEAD)
    assert script.main() == 0
    assert "gone: no graph" in capsys.readouterr().out
