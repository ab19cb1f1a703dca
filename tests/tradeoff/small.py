"""A model of three layers, a space over it, and evaluators of all kinds, importable by other processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from surgery.drift.inputs import make_inputs
from surgery.ir import Model
from surgery.tradeoff import Setup, Space
from surgery.tradeoff.space import read
from tests.support import model_of

WEIGHT = ",".join(f"{(i * 37 % 41 - 20) / 64}" for i in range(16 * 3 * 3 * 3))
TEXT = f"""g (float[1,3,8,8] x) => (float[1,16,8,8] y) <float[16,3,3,3] w = {{{WEIGHT}}}, float one = {{1}}> {{
    c = Conv <pads = [1,1,1,1]> (x, w)
    m = Mul (c, one)
    r = Relu (m)
    s = Sigmoid (r)
    t = Mul (r, s)
    y = Relu (t)
}}"""
SPACE = {
    "schema": "surgery.space/1",
    "pipeline": "p.yaml",
    "options": {"clamp-conv-channels.mode": ["split", "pad"], "clamp-conv-channels.multiple": {"low": 8, "high": 9}},
    "toggle": ["share-equals", "clamp-conv-channels"],
}
PIPELINE = "schema: surgery.pipeline/1\npasses: [fold-constants, remove-noops, clamp-conv-channels]\n"
SAMPLE = {"x": np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)}


def model() -> Model:
    return model_of(TEXT, opset=11)


def space(folder: Path, **changes: Any) -> Space:
    """The space, its pipeline in ``folder``; 10 choices."""
    (folder / "p.yaml").write_text(PIPELINE, encoding="utf-8")
    return read({**SPACE, **changes}, folder, "bayes-e")


def setup(folder: Path, measure: Any = None, **changes: Any) -> Setup:
    made = model()
    data = make_inputs(made, samples=2)
    return Setup(made.to_proto(), "bayes-e", space(folder), data, measure or mean, **changes)


def outputs(runner: Any) -> np.ndarray[Any, Any]:
    return next(iter(runner.run(SAMPLE).values()))


def mean(runner: Any) -> dict[str, float]:
    return {"mean": float(outputs(runner).mean()), "most": float(outputs(runner).max())}


def raises(_runner: Any) -> float:
    raise ValueError("no such class: a|b")


def nan(_runner: Any) -> dict[str, float]:
    return {"mean": float("nan")}


def nothing(_runner: Any) -> dict[str, float]:
    return {}


def text(_runner: Any) -> str:
    return "good"


def per_sample(runner: Any) -> dict[str, Any]:
    halves = np.split(outputs(runner).ravel(), 2)
    return {"mean": np.array([half.mean() for half in halves]), "most": float(outputs(runner).max())}


def nan_of_a_sample(_runner: Any) -> dict[str, Any]:
    return {"mean": np.array([1.0, np.nan])}


def square(_runner: Any) -> dict[str, Any]:
    return {"mean": np.zeros((2, 2))}


class OfOriginalOnly:
    """Measures the model as it was given, and does ``otherwise`` with every one without the Mul by one."""

    def __init__(self, otherwise: Any) -> None:
        self.otherwise = otherwise

    def __call__(self, runner: Any) -> Any:
        return mean(runner) if _is_original() else self.otherwise(runner)


_CALLS: list[int] = []


def _is_original() -> bool:
    _CALLS.append(1)
    return len(_CALLS) == 1


def other_keys(_runner: Any) -> dict[str, float]:
    return {"median": 1.0}


def ends_its_process(_runner: Any) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


class EndsOnce:
    """Ends its process the first time that it is called, whichever that is; ``flag`` is a file that says it did."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __call__(self, runner: Any) -> dict[str, float]:
        try:
            self.flag.touch(exist_ok=False)
        except FileExistsError:
            return mean(runner)
        return {"never": ends_its_process(runner)}
