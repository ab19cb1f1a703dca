"""Bad usage of every verb: exit 2, one message that names the nearest, nothing on stdout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Surgery

BAD = {
    "check": (["check", "clean.onnx", "--marh", "X5"], "--march"),
    "run": (["run", "clean.onnx", "-m", "X5"], "one of -o OUT, --in-place and --dry-run"),
    "cost": (["cost", "clean.onnx"], "Missing option '--march'"),
    "diff": (["diff", "clean.onnx"], "Missing argument 'B'"),
    "explain": (["explain", "clean.onnx", "--pass", "fold-twise"], "did you mean fold-twice"),
    "bisect": (["bisect", "clean.onnx", "-p", "nowhere.yaml"], "nowhere.yaml"),
    "tradeoff": (["tradeoff", "clean.onnx", "-m", "X5", "--space", "nowhere.yaml"], "cannot read the space"),
    "passes": (["passes", "halv"], "did you mean halve?"),
    "marches": (["marches", "X55"], "did you mean X5"),
}


@pytest.mark.parametrize("verb", BAD)
def test_bad_usage(verb: str, surgery: Surgery) -> None:
    args, told = BAD[verb]
    called = surgery(*args)
    assert called.code == 2
    assert told in " ".join(called.err.split())
    assert called.out == ""


def test_a_misspelt_verb(surgery: Surgery) -> None:
    called = surgery("chek")
    assert called.code == 2
    assert "'check'" in called.err


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--input-shape", "x=1xAx3", "has not the form NAME=1x3x640x640"),
        ("--input-shape", "1x3", "has not the form"),
        ("--input-range", "x=3", "has not the form NAME=lo:hi"),
        ("--budget", "cosine", "has not the form METRIC=BOUND"),
        ("--set", "fold-twice", "has not the form PASS.FIELD=VALUE"),
        ("--set", "fold-twice.mood=1", "did you mean mode?"),
        ("--set", "halve.x=1", "unknown pass of the pipeline"),
        ("--protect", "(", "not a regular expression"),
        ("--eval", "json", "has not the form module:function"),
        ("--eval", "json:dumpz", "cannot be imported"),
        ("--eval", "gone.py:accuracy", "cannot be imported"),
        ("--verify", "never", "each"),
        ("--fail-on", "cpus", "cpu"),
        ("--samples", "0", "1"),
        ("--report", "r.pdf", "no report format"),
        ("--report", "nowhere/r.html", "cannot be written: No such file or directory"),
        ("--json", "nowhere/r.json", "cannot be written: No such file or directory"),
        ("--json", "clean.onnx", "is a model, or another result"),
        ("--assume", "bayes-x", "did you mean"),
        ("--inputs", "nowhere.npz", "nowhere.npz"),
    ],
)
def test_bad_values(surgery: Surgery, option: str, value: str, told: str) -> None:
    called = surgery("run", "clean.onnx", "-m", "X5", "-o", "out.onnx", option, value)
    assert called.code == 2
    assert told in " ".join(called.err.replace("│", " ").split())
    assert not Path("out.onnx").exists()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("y=2x5", "unknown input 'y'"),
        ("x=2x5x1", "input 'x': shape 2x5x1 was given, the model has nxm"),
        ("x=0x5", "input 'x': shape 0x5: sizes must be positive"),
        ("x=-1x5", "has not the form NAME=1x3x640x640"),
        ("x=2.5x1", "has not the form NAME=1x3x640x640"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        ("run", "-m", "X5", "-o", "out.onnx"),
        ("run", "-m", "X5", "-o", "out.onnx", "--verify", "off"),
        ("check", "-m", "X5"),
        ("cost", "-m", "X5"),
        ("explain", "--pass", "fold-twice"),
        ("bisect",),
        ("diff", "dynamic.onnx"),
    ],
)
def test_shapes_that_contradict(surgery: Surgery, call: tuple[str, ...], value: str, told: str) -> None:
    called = surgery(call[0], "dynamic.onnx", *call[1:], "--input-shape", value)
    assert called.code == 2
    assert told in " ".join(called.err.split())
    assert called.err.count("surgery: ") == 1
    assert not Path("out.onnx").exists()


def test_two_results_in_one_file(surgery: Surgery) -> None:
    called = surgery("run", "clean.onnx", "-m", "X5", "-o", "o.onnx", "--report", "r.json", "--json", "r.json")
    assert called.code == 2
    assert "another result" in called.err


def test_messages_show_control_characters(surgery: Surgery) -> None:
    called = surgery("check", "a\x1b[31m.onnx", "-m", "X5")
    assert "\x1b" not in called.err
    assert "a\\x1b[31m.onnx" in called.err
