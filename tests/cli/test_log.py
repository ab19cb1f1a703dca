"""``--log`` through the command line: what it prints, and logs that cannot be used."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Surgery
from tests.cli.test_bad_input import refused
from tests.toolchain import logs

ROWS = [("n_c", "bpu"), ("n_y", "cpu")]
VERBS = (
    ("check", "named.onnx", "-m", "X5"),
    ("cost", "named.onnx", "-m", "X5"),
    ("run", "named.onnx", "-m", "X5", "-o", "out.onnx"),
    ("explain", "named.onnx", "-m", "X5", "--pass", "fold-twice"),
)


@pytest.fixture(autouse=True)
def named(folder: Path) -> None:
    """The clean model with names for its nodes, and a log of it."""
    from surgery.ir import Model

    model = Model.load("clean.onnx")
    for node in model.graph.nodes:
        node.name = f"n_{node.outputs[0].name}"
    model.save(folder / "named.onnx")
    Path("good.log").write_text(logs.log([*ROWS, ("of_nothing", "bpu")]))


@pytest.mark.parametrize("args", VERBS, ids=[verb[0] for verb in VERBS])
def test_every_verb_reports_it(surgery: Surgery, args: tuple[str, ...]) -> None:
    called = surgery(*args, "--log", "good.log", "--json", "-")
    document = json.loads(called.out)
    assert called.code in (0, 1), called.err
    assert document["log"]["path"] == "good.log"
    assert document["log"]["disagreements"] == [{"name": "n_y", "op": "Relu", "ours": "bpu", "theirs": "cpu"}]
    assert document["log"]["unmatched"] == ["of_nothing"]


def test_rows_in_json(surgery: Surgery) -> None:
    document = json.loads(surgery("check", "named.onnx", "-m", "X5", "--log", "good.log", "--json", "-").out)
    rows = {row["name"]: (row["device"], row["from_log"]) for row in document["nodes"]}
    assert rows["n_c"] == ("bpu", True)
    assert rows["n_y"] == ("cpu", True)
    assert rows["n_r"][1] is False


def test_on_the_terminal(surgery: Surgery) -> None:
    called = surgery("check", "named.onnx", "-m", "X5", "--log", "good.log")
    assert called.code == 1
    assert "The vendor's log" in called.out
    assert "good.log (for bayes-e): 3 rows tell of 2 nodes, 1 placed as we do without it, 1 differently." in called.out
    assert "1 name of the log match no node: of_nothing." in called.out
    assert "Relu.log" in called.out
    assert "--log good.log" in called.out.splitlines()[-1]


def test_several_tables_are_told(surgery: Surgery) -> None:
    Path("good.log").write_text(logs.log(ROWS) * 2)
    assert "table 2 of 2 in the log" in surgery("check", "named.onnx", "-m", "X5", "--log", "good.log").out


BAD = {
    "missing": (None, "cannot be read"),
    "binary": (b"\0\1\2\3" * 9, "is no text"),
    "no table": (b"just words\n", "holds no placement table"),
    "cut": (logs.log(ROWS).partition("n_y")[0].encode() + b"n_y    CP", "is cut: 1 of its rows read, the last 'n_c'"),
    "another model": (logs.log([("a", "bpu"), ("b", "cpu"), ROWS[0]]).encode(), "2 of its 3 names match no node"),
    "another march": (logs.log(ROWS, "bernoulli2").encode(), "is a log for bernoulli2, not for bayes-e"),
}


@pytest.mark.parametrize("args", VERBS, ids=[verb[0] for verb in VERBS])
@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_a_log_that_cannot_be_used(surgery: Surgery, args: tuple[str, ...], content: bytes | None, said: str) -> None:
    if content is not None:
        Path("bad.log").write_bytes(content)
    assert said in refused(surgery, *args, "--log", "bad.log").err


def test_an_unreadable_log(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the system's answer is made up."""
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if sys._getframe(1).f_globals["__name__"].startswith("surgery."):
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "Permission denied" in refused(surgery, *VERBS[0], "--log", "good.log").err


def test_a_log_is_about_one_job(surgery: Surgery) -> None:
    called = refused(surgery, "check", "named.onnx", "clean.onnx", "-m", "X5", "--log", "good.log")
    assert "is about one model on one march, not 2" in called.err
    assert "not 2" in refused(surgery, "check", "named.onnx", "-m", "X5", "-m", "X3", "--log", "good.log").err


def test_the_log_is_not_overwritten(surgery: Surgery) -> None:
    refused(surgery, "check", "named.onnx", "-m", "X5", "--log", "good.log", "--json", "good.log")


def test_names_of_the_log_are_shown_as_text(surgery: Surgery) -> None:
    Path("good.log").write_text(logs.log([*ROWS, ("\x1b]0;evil\x07\u202e", "bpu")]))
    called = surgery("check", "named.onnx", "-m", "X5", "--log", "good.log")
    assert "\x1b" not in called.out
    assert "\u202e" not in called.out
