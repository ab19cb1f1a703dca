"""The command line in process, with a small catalogue of passes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from surgery.cli.app import app
from surgery.pipeline import Pipeline, registry
from tests.support import model_of

WEIGHT = ",".join(["0.125"] * (16 * 3 * 3 * 3))
CLEAN = f"""g (float[1,3,8,8] x) => (float[1,16,8,8] y) <float[16,3,3,3] w = {{{WEIGHT}}}> {{
    c = Conv <pads = [1,1,1,1]> (x, w)
    r = Relu (c)
    y = Relu (r)
}}"""
POOLED = CLEAN.replace("y = Relu (r)", "y = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1]> (r)")
"""A pool at the end, which stays on the CPU."""
NEGATED = """g (float[1,4] x) => (float[1,4] y) {
    [good] a = Neg (x)
    [bad] b = Neg (a)
    [worse_bad] c = Neg (b)
    y = Relu (c)
}"""
SPACE = """schema: surgery.space/1
options: {fold-twice.mode: [fold, keep]}
toggle: [fold-twice, halve]
"""
DYNAMIC = "g (float[n,m] x) => (float[n,m] y) { a = Relu (x) y = Relu (a) }"

Surgery = Callable[..., "Called"]


class Called:
    """What a call came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passes of the tests beside the others; the first is the default pipeline."""
    homes = {"fold-twice": "tests.cli.rules:FoldTwicePass", "halve": "tests.cli.rules:HalvePass"}
    ours = {name: EntryPoint(name, home, registry.GROUP) for name, home in homes.items()}
    theirs = ("freeze-shapes", "fold-constants", "lift-normalisation", "normalise-rank")
    entries = {name: registry._entries()[name] for name in theirs} | ours
    monkeypatch.setattr(registry, "_entries", lambda: entries)
    monkeypatch.setattr(Pipeline, "default", classmethod(lambda cls, _march=None: cls.of("fold-twice")))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with its models."""
    monkeypatch.chdir(tmp_path)
    model_of(CLEAN, opset=11).save("clean.onnx")
    model_of(POOLED, opset=11).save("pooled.onnx")
    model_of(NEGATED, opset=11).save("negated.onnx")
    model_of(DYNAMIC, opset=11).save("dynamic.onnx")
    Path("space.yaml").write_text(SPACE)
    Path("halve.yaml").write_text("schema: surgery.pipeline/1\npasses: [fold-twice, halve]\n")
    return tmp_path


@pytest.fixture
def surgery() -> Surgery:
    """Calls the command line."""

    def call(*args: str | Path) -> Called:
        result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="surgery")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Called(result.exit_code, result.stdout, result.stderr)

    return call
