"""A model as the toolchain sees it: what its converter folds is there in the table and costs nothing."""

from __future__ import annotations

import pytest

from surgery.cost import estimate
from surgery.pipeline.view import folded, place_as_seen
from surgery.target import load_target, place
from tests.support import model_of

SHAPED = """g (float[1,8,4,4] x) => (float[1,128] y) <int64[1] minus = {-1}, int64 zero = {0}, int64[1] at = {0}>
{ [r] r = Relu (x) [s] s = Shape (r) [n] n = Gather (s, zero) [u] u = Unsqueeze (n, at)
  [c] c = Concat <axis = 0> (u, minus) [f] y = Reshape (r, c) }"""


@pytest.mark.parametrize("march", ["bernoulli2", "bayes-e", "nash-e"])
def test_shape_arithmetic_is_folded_and_costs_nothing(march: str) -> None:
    model, target = model_of(SHAPED), load_target(march)
    seen, alone = place_as_seen(model, target), place(folded(model), target)
    assert {row.node.name for row in seen.rows if row.note == "computed by the converter"} == {"s", "n", "u", "c"}
    assert len(seen.rows) == 6
    assert estimate(seen).latency_ms == estimate(alone).latency_ms
    assert {cost.node.name for cost in estimate(seen).nodes} == {"r", "f"}
