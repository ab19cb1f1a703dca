"""Coefficients refined by measurements, and the march file that comes of it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import yaml

import surgery
from surgery.cost.calibrate import Measured, _parts, calibrate
from surgery.cost.coefficients import rates
from surgery.cost.estimate import Estimate
from surgery.errors import InputError
from tests.cost.make import X5, estimated
from tests.support import ROOT, model_of

SHEET = rates(X5).sheet
TRUTH = {"lookup": 1.5, "submit": 1.3}


def models() -> dict[str, Estimate]:
    """Models of more and more lookups on maps of several sizes."""
    found = {}
    for size in (64, 128, 256, 512):
        for count in (1, 8, 32):
            steps = " ".join(f"v{i + 1} = {'Exp' if i % 2 else 'Neg'}(v{i})" for i in range(count))
            text = f"g (float[1,16,{size},{size}] v0) => (v{count + 2}) {{ {steps} v{count + 1} = Exp(v{count}) "
            text += f"v{count + 2} = Slice(v{count + 1}, b, e, a) }}"
            text = text.replace("=> (", "=> (").replace(
                "{ v1", "<int64[2] b = {0, 0}, int64[2] e = {1, 1}, int64[2] a = {2, 3}> { v1"
            )
            found[f"{size}x{count}"] = estimated(model_of(text))
    return found


def measured(figure: str = "latency_ms") -> list[Measured]:
    """What a board would show on which the coefficients of TRUTH are as many times the shipped ones."""
    found = []
    for name, estimate in models().items():
        whole = Measured(name, figure, 1.0, estimate)
        parts = _parts(whole)
        ms = whole.estimated + sum((factor - 1) * parts.get(part, 0.0) for part, factor in TRUTH.items())
        found.append(Measured(name, figure, ms, estimate))
    return found


def test_the_coefficients_that_measurements_were_made_from_are_found_again():
    found = calibrate(measured(), SHEET)
    factors = {one.name: one.factor for one in found.refined if one.identified}
    assert factors["lookup"] == pytest.approx(TRUTH["lookup"], rel=0.05)
    assert factors["submit"] == pytest.approx(TRUTH["submit"], rel=0.1)
    assert max(map(abs, found.after)) < max(map(abs, found.before)) / 3


def test_what_is_identified_gets_a_narrower_spread_and_the_rest_stays():
    found = calibrate(measured(), SHEET)
    shipped = dict(SHEET.coefficients())
    for one in found.refined:
        low, high = shipped[one.name].spread
        if one.identified:
            assert one.spread[1] / one.spread[0] < high / low
        else:
            assert (one.factor, one.spread) == (1.0, (low, high))
    assert {one.identified for one in found.refined} == {True, False}


def test_busy_time_says_nothing_of_the_host():
    found = calibrate(measured("bpu_ms"), SHEET)
    assert "submit" not in {one.name for one in found.refined}


def test_measurements_that_fit_already_change_little():
    right = [Measured(m.model, m.figure, m.estimated, m.estimate) for m in measured()]
    for one in calibrate(right, SHEET).refined:
        assert one.factor == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("take", "change", "message"),
    [
        (1, 1.0, "at least two measurements are needed"),
        (3, 1000.0, "is it another unit, or another march"),
    ],
)
def test_measurements_that_cannot_be_used(take, change, message):
    found = [Measured(m.model, m.figure, m.ms * change, m.estimate) for m in measured()[:take]]
    with pytest.raises(InputError, match=message):
        calibrate(found, SHEET)


def test_a_model_of_which_nothing_runs_on_the_bpu_is_named():
    text = "g (float[1,8] x) => (y) { y = Hardmax(x) }"
    alone = estimated(model_of(text), {"Hardmax": "cpu"}, segments=0)
    with pytest.raises(InputError, match="nothing of 'cpu' has an estimate of bpu_ms"):
        calibrate([Measured("cpu", "bpu_ms", 1.0, alone), *measured()], SHEET)


def test_the_error_afterwards_is_that_of_models_not_seen():
    """Measured twice, a model says nothing of itself: without the others the shipped coefficients are left."""
    one = [Measured("same", "latency_ms", 1.3 * m.estimated, m.estimate) for m in measured()[-2:]]
    found = calibrate(one, SHEET)
    assert found.after == pytest.approx(found.before)


def test_measurements_that_identify_nothing_are_refused_with_the_names(monkeypatch):
    monkeypatch.setattr("surgery.cost.calibrate.KNOWN", 0.01)
    with pytest.raises(InputError, match=r"identify no coefficient \(.*lookup.*submit.*\)"):
        calibrate(measured()[:2], SHEET)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("digits.onnx",):
        shutil.copy(ROOT / "models" / name, tmp_path)
    shutil.copy(ROOT / "models/digits.onnx", tmp_path / "again.onnx")
    return tmp_path


def table(folder: Path, *rows: tuple[str, ...]) -> Path:
    path = folder / "times.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_march_of_ones_own(folder):
    shipped = surgery.cost(folder / "digits.onnx", march="X5").latency_ms.mid
    times = table(
        folder,
        ("model", "latency_ms", "bpu_ms"),
        ("digits.onnx", f"{1.4 * shipped}", ""),
        ("again.onnx", f"{1.4 * shipped}", ""),
    )
    found = surgery.calibrate([times], march="X5", output=folder / "board.yaml")
    assert found.written == (str(folder / "board.yaml"), str(folder / "board.cost.yaml"))
    better = surgery.cost(folder / "digits.onnx", march=str(folder / "board.yaml"))
    assert better.latency_ms.mid == pytest.approx(1.4 * shipped, rel=0.1)
    assert "calibration" in yaml.safe_load((folder / "board.cost.yaml").read_text())["sources"]
    ours, shipped_march = (surgery.check(folder / "digits.onnx", march=m) for m in (str(folder / "board.yaml"), "X5"))
    assert ours.nodes == shipped_march.nodes


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((("model", "fps"), ("digits.onnx", "3")), "column 'fps', known are model, bpu_ms, latency_ms"),
        ((("model",), ("digits.onnx",)), "is no table with the columns model and bpu_ms or latency_ms"),
        ((("model", "bpu_ms"), ("none.onnx", "3")), "line 2: there is no model 'none.onnx'"),
        ((("model", "bpu_ms"), ("digits.onnx", "3 ms")), "bpu_ms '3 ms' is no number of milliseconds"),
        ((("model", "bpu_ms"), ("digits.onnx", "0")), "bpu_ms is 0, a time is more than 0 ms"),
        ((("model", "bpu_ms"), ("digits.onnx", "-1")), "a time is more than 0 ms"),
        ((("model", "bpu_ms"), ("digits.onnx", "nan")), "a time is more than 0 ms"),
        ((("model", "bpu_ms"), ("digits.onnx", "")), "at least two measurements"),
    ],
)
def test_tables_that_are_refused_leave_no_file(folder, rows, message):
    times = table(folder, *rows)
    with pytest.raises(InputError) as error:
        surgery.calibrate([times], march="X5", output=folder / "board.yaml")
    assert message in str(error.value)
    assert not list(folder.glob("board*"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("board.txt", "is no name of a march file"),
        ("bayes-e.yaml", "has the name of the march"),
        ("no/b.yaml", "cannot be"),
    ],
)
def test_places_that_are_refused(folder, name, message):
    with pytest.raises(InputError, match=message):
        surgery.calibrate([table(folder, ("model", "bpu_ms"))], march="X5", output=folder / name)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        surgery.calibrate([tmp_path / "none.csv"], march="X5")
