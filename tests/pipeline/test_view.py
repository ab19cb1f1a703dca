"""A model as the toolchain sees it: what its converter folds is there in the table and costs nothing."""

from __future__ import annotations

import pytest

import surgery
from surgery.cost import estimate
from surgery.pipeline.view import fold, folded, place_as_seen, place_folded, work_of
from surgery.target import Placement, load_target, place
from surgery.target.params import macs
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


HALVED = """g (float[4,6] x) => (float[4,6] y)
  <int64[1] two = {2}, float[3,6] w = {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}> {
  s = Shape (x) h = Div (s, two) c = ConstantOfShape (h) m = MatMul (c, w)
  t = Concat <axis = 0> (m, m) y = Add (x, t) }"""


def test_a_model_folded_itself_is_placed_as_its_copy_is() -> None:
    """The work of a node that is gone is what was known of it before, though folding found the sizes."""
    model, target = model_of(HALVED), load_target("bayes-e")
    product = next(node for node in model.nodes() if node.op == "MatMul")
    seen, before = place_as_seen(model, target), work_of(model)
    fold(model)
    again = place_folded(model, target, before)
    assert rows(again) == rows(seen)
    assert again.macs[product] == 0 < macs(product)


def rows(placement: Placement) -> list[tuple[str, str, str, int]]:
    """Name, device, note and work of every node."""
    return [(row.node.name, row.device, row.note, placement.macs[row.node]) for row in placement.rows]


def test_what_is_checked_stays_as_it_is() -> None:
    model = model_of(HALVED)
    before, shapes = model.digest(), [value.shape for node in model.nodes() for value in node.outputs]
    document = surgery.check(model, march="bayes-e")
    assert document.summary.folded == 5
    assert (model.digest(), [value.shape for node in model.nodes() for value in node.outputs]) == (before, shapes)
