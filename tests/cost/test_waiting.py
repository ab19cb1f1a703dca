"""What waits for the end of a branch, and what that moves."""

from __future__ import annotations

import pytest

from surgery.cost.coefficients import Rates, rates
from surgery.cost.nodes import cost_on
from surgery.cost.waiting import Waiting, waiting
from surgery.ir import Model
from surgery.ir.graph import Node
from surgery.target import load_target
from tests.cost.make import X5
from tests.support import model_of

ALIGN = rates(X5).align
W = "float[8,8,3,3] w = {" + ",".join(["0.1"] * 576) + "}, float[8] k = {1,1,1,1,1,1,1,1}"
STORED = 8 * 8 * 9
"""Bytes of such weights."""
CONV = "Conv<pads=[1,1,1,1]>"


def model(body: str) -> Model:
    return model_of(f"g (float[1,8,16,16] x) => (y) <{W}> {{ {body} }}")


def last_of(made: Model) -> Node:
    return [node for node in made.nodes() if node.op == "Conv"][-1]


@pytest.mark.parametrize("behind", ["d = Add(c, a)", "b2 = BatchNormalization(c, k, k, k, k) d = Add(a, b2)"])
def test_what_a_sum_takes_up_waits_for_the_weights_of_the_branch(behind: str) -> None:
    made = model(f"a = Exp(x) b = {CONV}(a, w) r = Relu(b) c = {CONV}(r, w) {behind} y = Neg(d)")
    assert waiting(last_of(made), ALIGN) == Waiting(8 * 16 * 16, 2 * STORED)


@pytest.mark.parametrize(
    "body",
    [
        f"a = Exp(x) b = {CONV}(a, w) c = {CONV}(b, w) y = Neg(c)",
        f"a = Exp(x) b = {CONV}(a, w) c = {CONV}(x, w) y = Add(b, c)",
        f"a = Exp(x) c = {CONV}(a, w) y = Mul(a, c)",
    ],
    ids=["no sum", "two branches", "a product"],
)
def test_no_branch_that_begins_with_what_waits(body: str) -> None:
    assert waiting(last_of(model(body)), ALIGN) is None


@pytest.mark.parametrize(("weights", "twice"), [(2 * STORED - 1, 2), (2 * STORED, 0)])
def test_it_is_stored_and_loaded_again_beside_more_weights_than_there_is_room_for(weights: int, twice: int) -> None:
    made = model(f"a = Exp(x) b = {CONV}(a, w) c = {CONV}(b, w) d = Add(a, c) y = Neg(d)")
    sheet = rates(load_target("X5")).sheet
    memory = sheet.memory.model_copy(update={"wait_mb": weights * 1e-6, "spill_mb": None})
    cost = cost_on(last_of(made), "bpu", Rates(sheet.model_copy(update={"memory": memory})))
    assert cost.read + cost.written - cost.weights == twice * 8 * 16 * 16


@pytest.mark.parametrize(("parts", "held"), [("4, 4", True), ("3, 5", False)])
def test_beside_odd_channels_nothing_has_room(parts: str, *, held: bool) -> None:
    align = ALIGN.model_copy(update={"in_channels": 4})
    odd = "s, t = Split<axis=1>(b, parts) q = Concat<axis=1>(s, t)"
    body = f"a = Exp(x) b = {CONV}(a, w) {odd} c = {CONV}(q, w) d = Add(c, a) y = Neg(d)"
    made = model_of(f"g (float[1,8,16,16] x) => (y) <{W}, int64[2] parts = {{{parts}}}> {{ {body} }}")
    found = waiting(last_of(made), align)
    assert found is not None
    assert (found.weights == 2 * STORED) == held
    assert held or found.weights > 1 << 30
