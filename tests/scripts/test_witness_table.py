"""The table of docs/witness.md, out of measurements of the test's own."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT

MEASURED = """board,quality,precision,bpu_busy_ms,layer_key
RDK X5,ok,int8,1.0,a
RDK X5,ok,int8,3.0,a
RDK X5,ok,int8,4.0,b
RDK X5,early,int8,9.0,a
RDK X5,ok,all_int16,9.0,a
RDK X3,ok,int8,9.0,a
RDK X5,ok,int8,,c
"""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import witness_table as module

    monkeypatch.setattr(module, "MEASURED", tmp_path / "measured.csv")
    monkeypatch.setattr(module, "LEVELS", {level: tmp_path / f"{level}.csv" for level in ("O2", "O3")})
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    module.MEASURED.write_text(MEASURED)
    module.LEVELS["O2"].write_text("model,latency_us\nlatency/a,2100\nlatency/b,4000\nlatency/c,1\nlatency/d,\n")
    module.PAGE.write_text(f"head\n{module.page.begin('witness_table.py')}old{module.page.END}tail\n")
    return module


def test_o2_alone(script: ModuleType) -> None:
    assert script.main() == 0
    text = script.PAGE.read_text()
    assert text.startswith("head\n")
    assert text.endswith("tail\n")
    assert "- At O2: 2 graphs, median difference +2.5 %, median absolute 2.5 %, within 10 %: 2, worst +5.0 %" in text
    assert "| a | 2.100 | – | 2.000 | +5.0 |\n| b | 4.000 | – | 4.000 | +0.0 |" in text
    assert "O3:" not in text


def test_o3_where_there_is_some(script: ModuleType) -> None:
    script.LEVELS["O3"].write_text("model,latency_us\nlatency/a,1900\n")
    script.main()
    text = script.PAGE.read_text()
    assert "- At O2, those that were compiled at O3 too: 1 graphs, median difference +5.0 %" in text
    assert "- The same at O3: 1 graphs, median difference -5.0 %" in text
    assert "| a | 2.100 | 1.900 | 2.000 | -5.0 |" in text


def test_check_says_whether_it_is_current(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["witness_table.py", "--check"])
    assert script.main() == 1
    monkeypatch.setattr("sys.argv", ["witness_table.py"])
    script.main()
    monkeypatch.setattr("sys.argv", ["witness_table.py", "--check"])
    assert script.main() == 0


def test_without_measurements(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    script.MEASURED.unlink()
    assert script.main() == 0
    assert capsys.readouterr().out == "no measurements here\n"
