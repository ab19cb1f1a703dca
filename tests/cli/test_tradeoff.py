"""``surgery tradeoff``: what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from surgery.report import TradeoffDocument
from tests.cli.conftest import Surgery

CALL = ("tradeoff", "clean.onnx", "--space", "space.yaml", "-m", "X5", "--samples", "2")
MEASURES = """import numpy as np

def mean(runner):
    x = np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)
    return {"mean": float(next(iter(runner.run({"x": x}).values())).mean()), "calls": 1.0}

def broken(runner):
    raise RuntimeError("<b>no</b>")
"""


@pytest.fixture(autouse=True)
def measures(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("measures.py").write_text(MEASURES)
    monkeypatch.syspath_prepend(".")
    monkeypatch.delitem(__import__("sys").modules, "measures", raising=False)


def test_the_reports_are_of_one_document(surgery: Surgery) -> None:
    called = surgery(*CALL, "--json", "t.json", "--report", "t.html", "--report", "t.md", "--report", "r.json")
    assert called.code == 0, called.err
    text = Path("t.json").read_text()
    assert text == Path("r.json").read_text()
    document = TradeoffDocument.from_json(text)
    assert document.evaluator == "agreement"
    assert document.to_html() == Path("t.html").read_text()
    assert document.to_markdown() == Path("t.md").read_text()


def test_a_report_is_opened_when_asked_and_only_then(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    call = (*CALL, "--report", "t.md", "--report", "t.html", "-q")
    assert surgery(*call).code == 0
    assert opened == []
    assert surgery(*call, "--open").code == 0
    assert opened == [Path("t.html").resolve().as_uri()]


def test_an_evaluator_of_the_users_own_and_int8(surgery: Surgery) -> None:
    called = surgery(*CALL, "--eval", "measures:mean", "--int8", "--json", "-", "--metric", "calls")
    assert called.code == 0, called.err
    data = json.loads(called.out)
    assert (data["evaluator"], data["metric"], data["int8"]) == ("measures:mean", "calls", True)
    assert set(data["variants"][1]["int8"]) == {"mean", "calls"}


def test_two_processes_print_the_same(surgery: Surgery) -> None:
    once, twice = (surgery(*CALL, "--eval", "measures:mean", "--workers", n, "--json", "-") for n in ("1", "2"))
    assert once.code == twice.code == 0
    assert once.out == twice.out


def test_the_command_of_a_variant_makes_it(surgery: Surgery) -> None:
    document = TradeoffDocument.from_json(surgery(*CALL, "--json", "-").out)
    variant = document.variants[-1]
    assert (variant.skip, variant.add, variant.settings) == (("fold-twice",), (), {})
    from surgery.report import again

    words = again(document, variant).split()
    assert words[0] == "surgery"
    assert surgery(*words[1:], "--json", "r.json").code in (0, 1)
    assert (
        json.loads(Path("r.json").read_text())["after"]["latency_ms"]
        == json.loads(document.variants[-1].model_dump_json(by_alias=True))["latency_ms"]
    )


def test_storage_is_gone_on_with(surgery: Surgery) -> None:
    first = surgery(*CALL, "--storage", "s.jsonl", "--json", "-")
    lines = Path("s.jsonl").read_text().splitlines()
    again = surgery(*CALL, "--storage", "s.jsonl", "--json", "-")
    assert first.out == again.out
    assert len(Path("s.jsonl").read_text().splitlines()) == len(lines) == 2 + 6


def test_labels(surgery: Surgery) -> None:
    np.savez("in.npz", x=np.zeros((3, 3, 8, 8), np.float32))
    np.save("labels.npy", np.zeros(2, int))
    called = surgery(*CALL, "--inputs", "in.npz", "--eval", "top-k", "--labels", "labels.npy")
    assert called.code == 2
    assert "labels.npy: 2 labels for 3 samples" in called.err


def test_space_of_the_passes(surgery: Surgery) -> None:
    data = yaml.safe_load(surgery("passes", "fold-twice", "--space").out)
    assert data == {
        "schema": "surgery.space/1",
        "pipeline": "default",
        "options": {"fold-twice.mode": ["fold", "keep"]},
        "toggle": ["fold-twice"],
    }
    assert surgery("passes", "--space", "--json", "-").code == 2
    assert "did you mean fold-twice" in surgery("passes", "fold-twise", "--space").err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--eval", "measures:broken"), "cannot be measured: the evaluator raised RuntimeError: <b>no</b>"),
        (("--eval", "measures:gone"), "cannot be imported"),
        (("--eval", "topk"), "did you mean top-k"),
        (("--eval", "top-k"), "top-k needs labels"),
        (("--eval", "measures:mean", "--labels", "l.npy"), "labels are for ready measures"),
        (("--decode", "measures:gone"), "--decode: 'measures:gone' cannot be imported"),
        (("--decode", "measures:mean"), "agreement decodes nothing"),
        (("--eval", "measures:mean", "--decode", "measures:mean"), "a function decodes for itself"),
        (("--open",), "--open: there is no report to open"),
        (("--open", "--report", "t.md"), "--report R.html writes one"),
        (("--witness", "nowhere"), "nowhere"),
        (("--witness", "auto", "--witness-level", "O9"), "O9"),
        (("--metric", "cosin"), "did you mean cosine"),
        (("--int8", "--calibration", "maxi"), "did you mean max"),
        (("--storage", "space.yaml"), "is no journal of a search"),
        (("--storage", "nowhere/s"), "cannot be written"),
        (("--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers"),
        (("--workers", "0"), "greater than or equal to 1"),
        (("--trials", "0"), "greater than or equal to 1"),
        (("--inputs", "nowhere.npz"), "no such file"),
        (("--json", "space.yaml"), "is a model, or another result"),
        (("--report", "clean.onnx.html", "--json", "clean.onnx"), "is a model, or another result"),
        (("--budget", "cosine"), "has not the form METRIC=BOUND"),
        (("--add", "halv"), "did you mean halve"),
    ],
)
def test_bad_values_write_nothing(
    options: tuple[str, ...], told: str, surgery: Surgery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surgery.tradeoff.dask.CONNECT_SECONDS", 1)
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    called = surgery(*CALL, *options)
    assert called.code == 2, called.out
    assert told in " ".join(called.err.replace("│", " ").split())
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
