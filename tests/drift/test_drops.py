"""Budgets on what the user's own measure loses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from surgery.drift.drops import Drops
from surgery.drift.inputs import make_inputs
from surgery.drift.verifier import Verifier
from surgery.errors import InputError
from tests.support import model_of

ORIGINAL = "g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }"
OTHER = "g (float[1,4] x) => (float[1,4] y) { y = Abs(x) }"


def likeness(runner: Any) -> dict[str, float]:
    """1 for what gives no negative number the value of its opposite."""
    x = np.array([[-1.0, 2, -3, 4]], np.float32)
    return {"likeness": 1 - float(runner.run({"x": x})["y"][0, 0]) / 4, "other": 0.0}


def drops(bound: float, evaluate: Any = likeness, metric: str = "likeness") -> Drops:
    return Drops({metric: bound}, evaluate, model_of(ORIGINAL))


def verifier(bound: float, budget: dict[str, float] | None = None) -> Verifier:
    original = model_of(ORIGINAL)
    return Verifier(original, make_inputs(original), budget=budget or {}, drops=drops(bound))


def test_a_drop_within_the_bound_is_kept() -> None:
    assert verifier(0.25).check(model_of(OTHER), "approximate").ok


def test_a_drop_over_the_bound_is_no_kept_promise() -> None:
    step = verifier(0.2).check(model_of(OTHER), "approximate")
    assert (step.ok, step.reason) == (False, "likeness falls by 0.25, the budget says 0.2")


def test_what_follows_an_approximate_step_is_held_to_it_too() -> None:
    v = verifier(0.2)
    v.accept(v.check(model_of(ORIGINAL), "approximate"))
    assert v.check(model_of(ORIGINAL), "exact").ok
    assert not v.check(model_of(OTHER), "approximate").ok


def test_drift_is_bounded_beside_it() -> None:
    assert "cosine" in verifier(1, {"cosine": 0.9999}).check(model_of(OTHER), "approximate").reason


def test_no_number_is_a_breach() -> None:
    assert drops(1).breaches({"likeness": float("nan")}) == ["likeness falls by nan, the budget says 1"]


def test_a_bound_needs_an_evaluator() -> None:
    with pytest.raises(InputError, match="accuracy_drop is measured by an evaluator, and none is given"):
        drops(0.1, None, "accuracy")


def test_a_metric_that_the_evaluator_does_not_return_is_refused() -> None:
    with pytest.raises(InputError, match="unknown metric of the evaluator 'likenes'"):
        drops(0.1, likeness, "likenes").breach(model_of(OTHER))
