"""The estimate against public board measurements; the bounds are what the fit reached, with some room."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from surgery.cost.coefficients import rates
from surgery.target import load_target
from tests.support import ROOT


@pytest.fixture
def validate_cost(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import validate_cost as module

    return module


@pytest.mark.shared
@pytest.mark.parametrize(
    ("board", "median", "rank", "covered"),
    [("RDK X5", 7, 0.98, 0.85), ("RDK S100", 6, 0.99, 0.9), ("RDK S100P", 6, 0.99, 0.9), ("RDK X3", 15, 0.95, 0.6)],
)
def test_error_ranking_and_coverage(validate_cost, board, median, rank, covered):
    found = validate_cost.pairs(board, "bpu_busy_ms", "bpu_ms")
    inside = [p.predicted.low <= p.measured <= p.predicted.high for p in found]
    assert np.median([abs(p.error) for p in found]) < median
    assert validate_cost.spearman([p.predicted.mid for p in found], [p.measured for p in found]) > rank
    assert np.mean(inside) >= covered


@pytest.mark.shared
@pytest.mark.parametrize(
    ("march", "median", "rank", "covered"),
    [("bayes-e", 5, 0.99, 0.85), ("bayes", 4, 0.98, 0.85), ("bernoulli2", 5, 0.99, 0.85)],
)
def test_compiled_models(validate_cost, march, median, rank, covered):
    found = validate_cost.compiled(march, lambda _: rates(load_target(march)))
    assert np.median([abs(p.error) for p in found]) < median
    assert validate_cost.spearman([p.predicted.mid for p in found], [p.measured for p in found]) > rank
    assert np.mean([p.predicted.low <= p.measured <= p.predicted.high for p in found]) >= covered


@pytest.mark.shared
@pytest.mark.parametrize(("board", "median"), [("RDK X5", 12), ("RDK S100", 6), ("RDK S100P", 6), ("RDK X3", 15)])
def test_throughput_of_boards(validate_cost, board, median):
    found = validate_cost.pairs(board, "throughput_fps", "throughput_fps")
    assert np.median([abs(p.error) for p in found]) < median


@pytest.mark.shared
def test_models_deployed_otherwise(validate_cost):
    found = list(validate_cost.otherwise())
    assert {text for _, text, _ in found} == {"int16", "cores=2", "batch=4"}
    assert np.median([abs(pair.error) for _, _, pair in found]) < 15
    assert all(pair.predicted.low <= pair.measured * 1.25 for _, _, pair in found)
    assert all(pair.measured <= pair.predicted.high * 1.05 for _, _, pair in found)


def test_without_measurements_the_script_says_so(tmp_path):
    script = tmp_path / "scripts/validate_cost.py"
    shutil.copytree(ROOT / "scripts", script.parent, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert "nothing to compare with" in done.stdout
