"""What a rewrite has to save that is there to make a model faster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from surgery.pipeline.gain import Gains
from surgery.rewrite import Purpose
from tests.pipeline.samples import swapping
from tests.support import model_of

CHAIN = "g (float[1,8,8,8] x) => (y) {{ {} }}"


def gains(places: int) -> Gains:
    """Of a model that takes 1000 us, with so many nodes that the rule matches."""
    body = "  ".join(f"v{i} = Relu ({'x' if i == 0 else f'v{i - 1}'})" for i in range(places))
    model = model_of(CHAIN.format(f"{body}  y = Tanh (v{places - 1})"), opset=11)
    context: Any = SimpleNamespace(main=model.graph, total_us=1000.0)
    return Gains(context)


def lack(places: int, before: float, after: float) -> str | None:
    (rule,) = swapping("Relu", "Sigmoid", Purpose.ACCELERATE).rules(None)
    return gains(places).lack(rule, before, after)


@pytest.mark.parametrize("before", [10.0, 1000.0])
def test_half_a_percent_of_the_model_is_a_gain(before: float) -> None:
    assert lack(1, before, before - 5.0) is None


def test_what_many_nodes_save_together_is_a_gain() -> None:
    assert lack(5, 9.0, 8.0) is None


def test_too_few_save_too_little() -> None:
    assert lack(4, 9.0, 8.0) == "predicted to save 1.0 us at each of 4 nodes, under 0.5 % of the model (5.0 us)"


def test_what_saves_a_tenth_of_itself_counts_by_itself() -> None:
    assert lack(50, 10.0, 9.0) == "predicted to save 1.0 us, under 0.5 % of the model (5.0 us)"


def test_what_takes_longer_is_no_gain_anywhere() -> None:
    assert lack(50, 10.0, 11.0) == "predicted to save -1.0 us, under 0.5 % of the model (5.0 us)"


def test_a_rule_may_have_to_save_a_share_of_its_own_nodes() -> None:
    (rule,) = swapping("Relu", "Sigmoid", Purpose.ACCELERATE).rules(None)
    rule.saves = 0.25
    assert gains(1).lack(rule, 100.0, 75.0) is None
    said = gains(1).lack(rule, 100.0, 76.0)
    assert said == "predicted to take 76.0 instead of 100.0 us, under 25 % are saved"
