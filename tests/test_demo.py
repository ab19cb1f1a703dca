"""``make demo``: the main job on the shipped model, as a user types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent


class Demo(NamedTuple):
    exit_code: int
    document: dict[str, Any]
    html: str
    folder: Path


def _arguments() -> list[str]:
    """What the Makefile gives to ``surgery``; the folder it writes to is left open as ``$(DEMO)``."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (command,) = re.findall(r"@\$\(BIN\)/surgery (.+?) \|\| test \$\$\? -eq 1", text)
    return str(command).split()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    arguments = [argument.replace("$(DEMO)", str(folder)) for argument in _arguments()]
    command = [sys.executable, "-m", "surgery", *arguments, "--json", str(folder / "run.json")]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    document = json.loads((folder / "run.json").read_text())
    return Demo(done.returncode, document, (folder / "report.html").read_text(), folder)


def test_the_rewritten_model_is_written(demo: Demo) -> None:
    assert (demo.folder / "digits.onnx").stat().st_size > 1_000_000


def test_accuracy_before_and_after_is_in_the_report(demo: Demo) -> None:
    found = demo.document["accuracy"]
    assert found["before"]["accuracy"] == pytest.approx(0.9861, abs=1e-4)
    assert found["after"]["accuracy"] == pytest.approx(found["before"]["accuracy"], abs=1 / 360)
    assert "0.98611" in demo.html


def test_all_is_verified_and_no_promise_is_broken(demo: Demo) -> None:
    assert demo.document["verified"] == "full"
    assert {p["status"] for p in demo.document["passes"]} <= {"applied", "unchanged", "refused", "not-kept"}


def test_the_model_fits_the_chip_better_than_before(demo: Demo) -> None:
    before, after = demo.document["before"], demo.document["after"]
    assert after["cpu"] < before["cpu"]
    assert after["latency_ms"]["mid"] < before["latency_ms"]["mid"]
