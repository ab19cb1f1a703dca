"""The networks that normalise-rank is measured by, and the table of what was measured."""

from __future__ import annotations

import subprocess
import sys

import onnx
import pytest

from scripts.rank_networks import networks
from tests.support import ROOT

NETWORKS = dict(networks())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_valid(name: str) -> None:
    onnx.checker.check_model(NETWORKS[name], full_check=True)


def test_the_table_is_current() -> None:
    script = ROOT / "scripts" / "rank_witness.py"
    done = subprocess.run([sys.executable, script, "table", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
