"""Help is quick: nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

VERBS = [
    "", "check", "run", "cost", "diff", "explain", "bisect", "tradeoff", "profile", "passes", "marches", "witness setup"
]  # fmt: skip
HEAVY = ("onnx", "onnxruntime", "numpy", "onnx_graphsurgeon", "jinja2")
PROGRAM = """
import sys
from surgery.cli import main
for verb in {verbs!r}:
    sys.argv = ["surgery", *verb.split(), "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, verb
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


def test_help_imports_nothing_heavy() -> None:
    program = PROGRAM.format(verbs=VERBS, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.stdout.count("Usage: surgery") == len(VERBS)


@pytest.mark.parametrize("name", ["onnx", "onnxruntime", "numpy", "typer"])
def test_importing_the_package_imports_nothing_heavy(name: str) -> None:
    program = f"import surgery, sys; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_version() -> None:
    done = subprocess.run([sys.executable, "-m", "surgery", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("surgery ")
