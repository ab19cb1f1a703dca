"""The verbs take a module with an example as they take the model that it is exported to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import surgery
from surgery.errors import InputError
from surgery.training import export
from tests.training.modules import around, image

X5 = {"march": "bayes-e"}
VERBS: dict[str, Callable[..., Any]] = {
    "check": lambda model, **given: surgery.check(model, **X5, **given),
    "cost": lambda model, **given: surgery.cost(model, **X5, **given),
    "cost_diff": lambda model, **given: surgery.cost_diff(model, model, **X5, **given),
    "explain": lambda model, **given: surgery.explain(model, "substitute-ops", **X5, **given),
    "diff": lambda model, **given: surgery.diff(model, model, samples=1, **given),
    "bisect": lambda model, **given: surgery.bisect(model, samples=1, **X5, **given),
    "run": lambda model, **given: surgery.run(model, samples=1, **X5, **given).report.after,
}


def _module() -> nn.Module:
    torch.manual_seed(0)
    return around(nn.Hardtanh(0, 6))


@pytest.mark.parametrize("verb", VERBS)
def test_a_module_is_as_good_as_its_model(verb: str) -> None:
    module = _module()
    assert VERBS[verb](module, example=image()) == VERBS[verb](export(module, image()))


def test_a_saved_model_is_compared_with_the_module_it_came_from() -> None:
    module = _module()
    model = surgery.run(module, example=image(), samples=1, **X5).model
    drift = surgery.diff(module, model, example=image(), samples=1).outputs
    assert [(output.name, output.max_abs < 1e-5) for output in drift] == [("output", True)]


@pytest.mark.parametrize("verb", VERBS)
def test_a_module_needs_an_example_and_a_model_takes_none(verb: str) -> None:
    with pytest.raises(InputError, match=r"Sequential: a module is exported with example inputs\n +hint: example="):
        VERBS[verb](_module())
    with pytest.raises(InputError, match=re.escape("example: an example is what a torch.nn.Module is exported with")):
        VERBS[verb]("model.onnx", example=image())


def test_the_package_is_found_where_the_verbs_are() -> None:
    assert surgery.training.export is export
    assert "training" in dir(surgery)
