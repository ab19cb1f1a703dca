"""The twin of a graph in which Reshapes and Transposes have moved; the networks of networks.py hold what was asked."""

from __future__ import annotations

import pytest

from surgery.ir import Model
from surgery.target import load_target, place
from surgery.target.sinking import sunk
from tests.support import model_of
from tests.target.networks import BARE, CONV, TO_TOKENS, network

RULES = load_target("bernoulli2").march.sinking


def _twin(model: Model) -> list[tuple[str, tuple[object, ...] | None]]:
    twin = sunk(model.graph, RULES, model.opset)
    assert twin is not None
    return [(node.op, node.outputs[0].shape) for node in twin.graph.nodes]


def test_an_activation_of_rank_3_runs_at_rank_4_and_the_reshape_follows() -> None:
    model = network(f"a = {CONV}(x, w) r = Reshape(a, tokens) y = Sigmoid(r)")
    assert _twin(model) == [("Conv", (1, 8, 16, 16)), ("Sigmoid", (1, 8, 16, 16)), ("Reshape", (1, 8, 256))]


def test_a_product_behind_tokens_reads_the_map() -> None:
    model = network(f"{TO_TOKENS} y = MatMul(t, v)")
    made = _twin(model)
    assert made[:2] == [("Conv", (1, 8, 16, 16)), ("MatMul", (1, 8, 16, 16))]
    assert made[-1] == ("Reshape", (1, 256, 8))


def test_an_activation_of_several_nodes_between_products_has_no_movement_in_it() -> None:
    model = network(f"{TO_TOKENS} b = MatMul(t, v) s = Sigmoid(b) d = Mul(b, s) y = MatMul(d, u)")
    assert [op for op, _ in _twin(model)[:5]] == ["Conv", "MatMul", "Sigmoid", "Mul", "MatMul"]


def test_a_reduction_keeps_the_axes_that_it_drops() -> None:
    model = network(f"a = {CONV}(x, w) b = ReduceMax<axes=[3], keepdims=0>(a) y = Sigmoid(b)")
    assert _twin(model)[1:] == [("ReduceMax", (1, 8, 16, 1)), ("Sigmoid", (1, 8, 16, 1)), ("Reshape", (1, 8, 16))]


def test_a_piece_passes_dims_of_one_alone() -> None:
    model = network(f"{BARE} y = Slice(r, one, eight, two)")
    assert _twin(model)[1:] == [("Slice", (1, 8, 16, 8)), ("Reshape", (8, 16, 8))]
    merged = network(f"a = {CONV}(x, w) r = Reshape(a, tokens) y = Slice(r, one, eight, two)")
    assert sunk(merged.graph, RULES, merged.opset) is None


def test_a_product_from_the_left_reads_the_map() -> None:
    model = network(f"a = {CONV}(x, w) r = Reshape(a, tokens) y = MatMul(v, r)")
    assert _twin(model)[1:] == [("MatMul", (1, 8, 16, 16)), ("Reshape", (1, 8, 256))]


def test_the_model_is_left_alone_and_every_node_has_its_row() -> None:
    model = network(f"{TO_TOKENS} s = Sigmoid(t) y = MatMul(s, v)")
    before = model.digest()
    placement = place(model, load_target("bernoulli2"))
    assert [row.node for row in placement.rows] == model.graph.nodes
    assert model.digest() == before
    notes = {row.node.name: row.note for row in placement.rows}
    assert notes["r"] == notes["t"] == "moved behind what reads it"


@pytest.mark.parametrize(
    "text",
    [
        "g (float[1,8,4,4] x) => (float[1,8,4,4] y) { y = Sigmoid(x) }",
        "g (float[1,n,4] x) => (float[1,4,n] y) { y = Transpose<perm=[0,2,1]>(x) }",
        "g (float[1,8,9,9] x, float[8,8] v) => (y) <int64[4] s = {8,8,1,1}> { w = Reshape(v, s) y = Conv(x, w) }",
    ],
)
def test_nothing_to_move(text: str) -> None:
    model = model_of(text, opset=11)
    assert sunk(model.graph, RULES, model.opset) is None


def test_other_marches_move_nothing() -> None:
    model = network(f"{TO_TOKENS} y = Sigmoid(t)")
    assert sunk(model.graph, load_target("bayes-e").march.sinking, model.opset) is None
