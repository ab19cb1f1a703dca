"""compiled_gain.py: its table, and what it says of a march."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

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
