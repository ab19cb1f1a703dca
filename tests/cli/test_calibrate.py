"""``surgery calibrate`` through the command line: tables, models with a profile, and models for the toolchain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import surgery as api
from tests.cli.conftest import Surgery
from tests.cli.test_bad_input import refused
from tests.cost.test_measurements import board

MODELS = ("clean.onnx", "pooled.onnx")


@pytest.fixture(autouse=True)
def logs() -> None:
    """Profiles of a board on which everything takes 1.4 times as long."""
    for model in MODELS:
        shipped = api.cost(model, march="X5").latency_ms.mid
        Path(model).with_suffix(".log").write_text(board(1.4 * shipped))


def test_models_with_their_profiles(surgery: Surgery) -> None:
    told = [f"{model}={Path(model).with_suffix('.log')}" for model in MODELS]
    called = surgery("calibrate", *told, "-m", "X5", "-o", "board.yaml", "--json", "c.json")
    assert called.code == 0, called.err
    assert "next: surgery cost MODEL --march board.yaml" in called.out
    rows = json.loads(Path("c.json").read_text())["measurements"]
    assert [(row["model"], row["figure"], row["source"]) for row in rows] == [
        (model, "latency_ms", "board") for model in MODELS
    ]
    better = api.cost("clean.onnx", march="board.yaml").latency_ms.mid
    assert better == pytest.approx(rows[0]["measured"], rel=0.1)


def test_a_table_and_profiles_in_one_call(surgery: Surgery) -> None:
    Path("odd.onnx=1.csv").write_text(
        f"model,latency_ms\npooled.onnx,{api.cost('pooled.onnx', march='X5').latency_ms.mid}\n"
    )
    called = surgery("calibrate", "odd.onnx=1.csv", "clean.onnx=clean.log", "-m", "X5", "--json", "-")
    assert called.code == 0, called.err
    assert [row["model"] for row in json.loads(called.out)["measurements"]] == ["pooled.onnx", "clean.onnx"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("clean.onnx", "pooled.onnx"), "is a model, and nothing was measured of it"),
        (("clean.onnx", "--witness", "nowhere.yaml"), "nowhere.yaml"),
        (("none.onnx=clean.log",), "none.onnx"),
        (("clean.onnx=none.log",), "none.log: cannot be read"),
        (("clean.onnx=halve.yaml",), "is of no format that tells times"),
        (("clean.log",), "a profile is given with its model: MODEL.onnx=FILE"),
        (("clean.onnx=clean.log",), "at least two measurements are needed"),
        (("clean.onnx=clean.log", "--json", "clean.log"), "is a model, or another result"),
    ],
)
def test_what_is_refused_leaves_every_file(surgery: Surgery, args: tuple[str, ...], said: str) -> None:
    assert said in refused(surgery, "calibrate", *args, "-m", "X5", "-o", "board.yaml").err
