"""``surgery profile`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Surgery
from tests.cli.test_bad_input import refused
from tests.toolchain.profiles import files


@pytest.fixture(autouse=True)
def written() -> None:
    Path("board.log").write_text(files.log())
    Path("ucp.log").write_text(files.UCP)


def test_a_bottleneck_on_the_cpu_is_a_finding(surgery: Surgery) -> None:
    called = surgery("profile", "board.log")
    assert called.code == 1
    assert "The CPU is the bottleneck: CPU operators 35.0 % of a frame, most at Softmax_probs." in called.out
    assert "remove_node_type: Dequantize" in called.out


def test_one_on_the_bpu_is_none(surgery: Surgery) -> None:
    called = surgery("profile", "ucp.log", "-q")
    assert called.code == 0
    assert "The bottleneck is not on the CPU: BPU 80.0 % of a frame." in called.out


def test_a_file_that_is_given_twice_counts_once(surgery: Surgery) -> None:
    Path("build.log").write_text(files.BUILD)
    once = json.loads(surgery("profile", "build.log", "board.log", "--json", "-").out)
    twice = json.loads(surgery("profile", "build.log", "board.log", "./build.log", "--json", "-").out)
    assert [file["path"] for file in twice["files"]] == ["build.log", "board.log"]
    assert twice["segments"] == once["segments"]


def test_a_prediction_says_nothing_of_the_cpu(surgery: Surgery) -> None:
    Path("build.log").write_text(files.BUILD)
    called = surgery("profile", "build.log")
    assert called.code == 0
    assert "The compiler predicts 3 ms on the BPU; what the CPU takes is not told." in called.out
    assert "Bottleneck" not in called.out


def test_totals_alone_and_placement_alone(surgery: Surgery) -> None:
    Path("console.txt").write_text(files.CONSOLE)
    Path("table.log").write_text("probs    CPU  --      Softmax\n")
    totals, placed = surgery("profile", "console.txt"), surgery("profile", "table.log", "-m", "X5")
    assert (totals.code, placed.code) == (0, 0)
    assert "One frame takes 5 ms; nothing tells of its parts." in totals.out
    assert "No time is told; 1 row on the CPU." in placed.out
    assert "give --model to learn which limit it breaks" in placed.out


def test_json_and_reports(surgery: Surgery) -> None:
    called = surgery("profile", "ucp.log", "--json", "p.json", "--report", "p.html", "--report", "p.md")
    assert called.code == 0, called.err
    assert json.loads(Path("p.json").read_text())["schema"] == "surgery.profile/1"
    assert "timeline" in Path("p.html").read_text()
    assert "## Where the time goes" in Path("p.md").read_text()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("none.log",), "cannot be read"),
        (("clean.onnx",), "is no text"),
        (("halve.yaml",), "is of no format that tells times"),
        (("board.log", "--march", "X9"), "unknown march"),
        (("board.log", "--model", "board.log"), "board.log"),
        (("board.log", "--json", "board.log"), "is a model, or another result"),
    ],
)
def test_what_is_refused_leaves_every_file(surgery: Surgery, args: tuple[str, ...], said: str) -> None:
    assert said in refused(surgery, "profile", *args).err
