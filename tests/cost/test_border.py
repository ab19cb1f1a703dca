"""What crosses between host and BPU, and what it costs."""

from __future__ import annotations

import sys

import pytest

from surgery.cost import local_us
from surgery.cost.nodes import cost_on
from tests.cost.make import X5, estimated
from tests.support import model_of


def crossing(text: str, **devices: str) -> dict[str, tuple[str, int, bool]]:
    """Tensor to direction, bytes, and whether it costs the host anything."""
    found = estimated(model_of(text), devices).transfers
    return {t.tensor: (t.direction, t.bytes, t.us.mid > 0) for t in found}


def test_a_float_output_is_dequantised():
    text = "g (float[1,3,1000,1000] x) => (y) { y = Exp(x) }"
    assert crossing(text) == {"x": ("input", 12_000_000, False), "y": ("output", 12_000_000, True)}
    output = estimated(model_of(text)).transfers[1]
    assert output.us.mid == pytest.approx(3 * 2033.7)


def test_a_float_input_that_is_no_image_is_quantised():
    assert crossing("g (float[1,64] x) => (y) { y = Exp(x) }")["x"] == ("input", 256, True)


def test_integers_cross_as_they_are():
    text = "g (float[1,8] x) => (y) { a = Exp(x) y = ArgMax(a) }"
    assert crossing(text)["y"] == ("output", 64, False)


def test_borders_are_counted():
    text = "g (float[1,3,8,8] x) => (y) { a = Exp(x) b = Neg(a) y = Exp(b) }"
    assert {k: v[0] for k, v in crossing(text, Neg="cpu").items()} == {
        "x": "input",
        "a": "to_cpu",
        "b": "to_bpu",
        "y": "output",
    }


def test_a_tensor_with_several_readers_crosses_once():
    text = "g (float[1,3,8,8] x) => (y, z) { a = Exp(x) y = Neg(a) z = Neg(a) }"
    assert [k for k, v in crossing(text, Neg="cpu").items() if v[0] == "to_cpu"] == ["a"]


def test_a_folded_node_is_no_border():
    text = "g (float[1,3,8,8] x) => (y) { a = Exp(x) b = Identity(a) y = Exp(b) }"
    assert set(crossing(text, Identity="folded")) == {"x", "y"}


def test_nothing_crosses_on_the_cpu():
    assert crossing("g (float[1,3,8,8] x) => (y) { y = Exp(x) }", Exp="cpu") == {}


def test_local_cost_is_the_nodes_and_their_borders():
    """Taking Neg off the CPU saves its borders, so the three nodes get cheaper."""
    nodes = list(model_of("g (float[1,3,8,8] x) => (y) { a = Exp(x) b = Neg(a) y = Exp(b) }").nodes())[1:2]
    on_cpu = local_us(nodes, lambda n: "cpu" if n.op == "Neg" else "bpu", X5)
    on_bpu = local_us(nodes, lambda _: "bpu", X5)
    assert on_cpu.mid > on_bpu.mid + 2 * 192 * 2033.7e-6


def test_local_cost_looks_at_no_other_node(monkeypatch):
    asked = []
    monkeypatch.setattr(
        sys.modules["surgery.cost.estimate"], "cost_on", lambda node, *rest: asked.append(node) or cost_on(node, *rest)
    )
    nodes = list(model_of("g (float[1,3,8,8] x) => (y) { a = Exp(x) b = Neg(a) y = Exp(b) }").nodes())
    assert local_us(nodes[1:2], lambda _: "bpu", X5).known
    assert asked == nodes[1:2]
