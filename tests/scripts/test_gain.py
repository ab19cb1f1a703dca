"""compiled_gain.py: its table, and what it says of a march."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from surgery.report.witness import WitnessSide
from tests.support import ROOT


@pytest.fixture
def gain(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import compiled_gain as module

    return module


def test_the_table_comes_back(gain: ModuleType, tmp_path: Path) -> None:
    rows = [
        gain.Row("models/a", "bayes", "200.0", "100.0", 2, 1, 3, 0),
        gain.Row("models/b", "bayes", reason="model.opset 17"),
    ]
    gain.write(tmp_path / "new" / "gain.csv", rows)
    assert gain.read(tmp_path / "new" / "gain.csv") == rows
    assert gain.read(tmp_path / "none.csv") == []
    assert gain.read(None) == []


def test_what_is_said_of_a_march(gain: ModuleType) -> None:
    faster = gain.Row("models/a", "bayes", "200.0", "50.0", 2, 1)
    same = gain.Row("models/b", "bayes", "100.0", "100.0", 1, 1)
    new = gain.Row("models/c", "bayes", "", "70.0", 0, 1)
    nothing = gain.Row("models/d", "bayes", "0.0", "0.0")
    line, worse = gain.totals([faster, same, new, nothing], "bayes")
    assert line == "bayes: 4 models, taken 3 before and 4 after; after over before of 2: 0.500, worst 1.000 (models/b)"
    assert not worse
    assert gain.totals([new], "bayes") == ("bayes: 1 models, taken 0 before and 1 after", False)


@pytest.mark.parametrize(
    "row", [("models/e", "bayes", "100.0", "103.0", 1, 1), ("models/e", "bayes", "100.0", "90.0", 1, 2)]
)
def test_what_became_worse(gain: ModuleType, row: tuple[object, ...]) -> None:
    line, worse = gain.totals([gain.Row(*row)], "bayes")
    assert worse
    assert ("more segments: models/e" in line) == (row[-1] == 2)


def test_no_toolchain(gain: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SURGERY_WITNESS", "/nowhere")
    monkeypatch.setattr("sys.argv", ["compiled_gain.py", "--march", "bayes", "--only", "models/none*"])
    monkeypatch.setattr(gain.corpus, "need_corpus", lambda: None)
    assert gain.main() == 2
    assert "no installation of the vendor's toolchain" in capsys.readouterr().err


def test_what_is_added_is_all_that_tells_before_from_after(gain: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Given:
        name, shapes = "digits", {}

        def filled(self) -> Path:
            return ROOT / "models" / "digits.onnx"

    runs: list[dict[str, Any]] = []

    def run(model: Any, **options: Any) -> Any:
        runs.append({"model": model, **options})
        span, side = SimpleNamespace(mid=1.0), WitnessSide(accepted=True, latency_us=2.0)
        found = SimpleNamespace(before=side, after=side, guilty="")
        sides = SimpleNamespace(latency_ms=span)
        return SimpleNamespace(model="fitted", report=SimpleNamespace(witness=found, before=sides, after=sides))

    monkeypatch.setattr(gain.surgery, "run", run)
    asked = gain.Asked(add=["pack-weights"], options={"pack-weights.zeros": "0.5"})
    row = gain.measured(None, Given(), "bayes", asked, on_request=False, level="O2", limit=1)
    assert (row.before_us, row.after_us) == ("2.0", "2.0")
    first, second = runs
    assert "add" not in first
    assert (second["model"], second["add"], second["set_"]) == ("fitted", asked.add, asked.options)
