"""Nodes on the CPU: a physical estimate, wide and marked as assumed, but for what is fitted."""

from __future__ import annotations

import pytest

from surgery.cost import Basis, NodeCost, node_cost
from tests.cost.make import X5, estimated, node_of
from tests.support import model_of


def cost(text: str, op: str) -> NodeCost:
    return node_cost(node_of(text, op), "cpu", X5)


def test_cpu_nodes_are_counted():
    model = model_of("g (float[1,8,8,8] x) => (y) { a = Softmax(x) y = Exp(a) }")
    found = estimated(model, {"Softmax": "cpu", "Exp": "cpu"}, segments=0)
    assert found.latency_ms.mid == pytest.approx(sum(c.us.mid for c in found.nodes) / 1000)
    assert all(c.us.mid > 0 for c in found.nodes)


def test_the_cpu_is_an_assumption_with_a_wide_interval():
    found = cost("g (float[1,8,8,8] x) => (y) { y = Softmax(x) }", "Softmax")
    assert found.basis is Basis.ASSUMED
    assert found.bound == "host"
    assert found.us.high > 4 * found.us.low


def test_dequantising_on_the_cpu_is_fitted():
    text = "g (int8[1,1000,100,10] x) => (y) <float s = {0.1}, int8 z = {0}> { y = DequantizeLinear(x, s, z) }"
    found = cost(text, "DequantizeLinear")
    assert found.basis is Basis.FITTED
    assert found.us.mid == pytest.approx(2033.7, rel=0.02)


def test_arithmetic_traffic_and_hard_functions_have_their_own_rates():
    size = "float[1,64,64,64] x"
    matmul = "g (float[64,64,64] x) => (y) { y = MatMul(x, x) }"
    assert cost(matmul, "MatMul").group == "cpu mac"
    assert cost(f"g ({size}) => (y) {{ y = Add(x, x) }}", "Add").group == "cpu byte"
    assert cost(f"g ({size}) => (y) {{ y = Exp(x) }}", "Exp").group == "cpu hard"
    assert cost(f"g ({size}) => (y) {{ y = Flatten(x) }}", "Flatten").group == "cpu call"
