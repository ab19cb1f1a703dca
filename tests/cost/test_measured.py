"""The estimate against public board measurements; the bounds are what the fit reached, with some room."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from scripts import validate_cost
from tests.support import ROOT


@pytest.mark.shared
@pytest.mark.parametrize(
    ("board", "median", "rank", "covered"),
    [("RDK X5", 12, 0.97, 0.85), ("RDK S100", 6, 0.99, 0.9), ("RDK S100P", 6, 0.99, 0.9), ("RDK X3", 30, 0.9, 0.75)],
)
def test_error_ranking_and_coverage(board, median, rank, covered):
    found = validate_cost.pairs(board, "bpu_busy_ms", "bpu_ms")[::3]
    inside = [p.predicted.low <= p.measured <= p.predicted.high for p in found]
    assert np.median([abs(p.error) for p in found]) < median
    assert validate_cost.spearman([p.predicted.mid for p in found], [p.measured for p in found]) > rank
    assert np.mean(inside) >= covered


def test_without_measurements_the_script_says_so(tmp_path):
    script = tmp_path / "scripts/validate_cost.py"
    script.parent.mkdir()
    script.write_text((ROOT / "scripts/validate_cost.py").read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert "nothing to compare with" in done.stdout
