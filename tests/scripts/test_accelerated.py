"""accelerated.py: rules are left out, and what is said of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from surgery.toolchain import Answer
from surgery.toolchain.refusal import Kind, Refusal
from tests.support import ROOT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import accelerated as module

    return module


def case(script: ModuleType, model: str, fired: str, without: float, with_it: float) -> object:
    made = script.Case(model, "bayes-e", "all", fired, 900.0, 800.0)
    return made._replace(us_without=without, us_with=with_it)


def test_a_rule_is_left_out(script: ModuleType) -> None:
    networks = dict(script.rank_networks.networks())
    model = networks["attention, a Split of rank 5"]
    made = list(script.cases(None, "bayes-e", ("attention", model, {}), 1))
    assert [(row.left_out, row.fired) for row in made] == [
        ("all", "collapse-moves:1 take-split-apart:1"),
        ("take-split-apart", "take-split-apart:1"),
        ("collapse-moves", "collapse-moves:1"),
    ]
    assert all(row.told_without > row.told_with > 0 for row in made)
    assert list(script.cases(None, "bayes-e", ("a line", networks["a lone Conv1d"], {}), 1)) == []


def test_accelerating_rules_alone(script: ModuleType) -> None:
    found = script.accelerating("bayes-e")
    assert {"order-channels", "group-blocks"} <= found
    assert not {"split-channels", "legalise-order"} & found


def test_what_is_counted(script: ModuleType) -> None:
    rows = [
        case(script, "a", "order-channels:2", 100.0, 80.0),
        case(script, "b", "order-channels:1", 100.0, 0.0),
        case(script, "c", "order-channels:1 fill-blocks:1", 100.0, 50.0),
        case(script, "d", "fill-blocks:1", 100.0, 120.0),
    ]
    found = [(rule, [row.model for row in mine]) for rule, mine in script.summary(rows, "bayes-e")]
    assert found == [("fill-blocks", ["d"]), ("order-channels", ["a"])]
    assert list(script.summary(rows, "bayes")) == []


def test_a_refusal_has_no_time(script: ModuleType) -> None:
    row = case(script, "a", "order-channels:2", 1.0, 1.0)
    nothing = Answer("bayes-e", Refusal(Kind.INVALID, "not done"), None, None, (), {}, 1.0, cached=False)
    found = script.compiled(row, nothing, nothing)
    assert found.ratio is None
    assert found.reason == "not done; not done"
    assert (found.us_without, found.cpu_without, found.segments_with) == (0.0, 0, 0)


def test_the_table_comes_back(script: ModuleType, tmp_path: Path) -> None:
    rows = [case(script, "a, b", "order-channels:2", 100.0, 80.5)]
    script.write(tmp_path / "new" / "gain.csv", rows)
    assert script.read(tmp_path / "new" / "gain.csv") == rows
    assert script.read(None) == script.read(tmp_path / "none.csv") == []


def test_no_toolchain(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--march", "bayes", "--witness", "/nowhere"]) == 2
    assert "toolchain" in capsys.readouterr().err


def test_seeds(script: ModuleType) -> None:
    assert script._seeds("3:5") == range(3, 5)
    with pytest.raises(argparse.ArgumentTypeError, match="two numbers"):
        script._seeds("3")
