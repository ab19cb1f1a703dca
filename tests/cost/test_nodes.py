"""The cost of one node: aligned work, memory, free nodes, the CPU, and what cannot be estimated."""

from __future__ import annotations

import pytest

from surgery.cost import Basis, node_cost
from surgery.target.target import load_target
from tests.cost.make import node_of


def cost(text: str, op: str, device: str = "bpu", march: str = "bayes-e"):
    return node_cost(node_of(text, op), device, load_target(march))


WEIGHT = "<float[16,8,1,1] w = {" + ",".join(["0.5"] * 128) + "}>"


def dense(size: int) -> str:
    return f"g (float[1,8,{size},{size}] x) => (z) {WEIGHT} {{ r = Exp(x) y = Conv(r, w) z = Exp(y) }}"


def test_convolution_against_the_reference():
    """8 in, 16 out, 64 x 64, a 1x1 kernel: worked on as 16 in, 32 out; 65 x 65 as 68 x 72."""
    rates = {name: 1000 * found["value"] for name, found in load_target("bayes-e").cost["engine"].items()}
    exact, rounded = cost(dense(64), "Conv"), cost(dense(65), "Conv")
    assert exact.computing.mid - rates["layer"] == pytest.approx(rates["dense"] * 16 * 32 * 64 * 64 * 1e-9)
    assert (rounded.computing.mid - rates["layer"]) / (exact.computing.mid - rates["layer"]) == pytest.approx(
        68 * 72 / (64 * 64)
    )
    assert (exact.macs, exact.device, exact.basis) == (8 * 16 * 64 * 64, "bpu", Basis.FITTED)


def test_a_quantised_convolution_is_as_much_work_as_a_float_one():
    scales = "float s = {0.1}, int8 z0 = {0}, int8[16,8,1,1] w = {" + ",".join(["1"] * 128) + "}"
    text = f"g (int8[1,8,64,64] x) => (int8[1,16,64,64] y) <{scales}> {{ y = QLinearConv(x, s, z0, w, s, z0, s, z0) }}"
    plain = f"g (float[1,8,64,64] x) => (y) {WEIGHT} {{ y = Conv(x, w) }}"
    assert cost(text, "QLinearConv").computing == cost(plain, "Conv").computing


def test_low_mid_high_are_ordered_and_apart():
    us = cost(dense(64), "Conv").us
    assert 0 < us.low < us.mid < us.high


def test_a_large_weight_is_bound_by_memory():
    weight = f"float[512,64] w = {{{','.join(['1'] * 32768)}}}"
    text = f"g (float[1,512] x) => (z) <{weight}> {{ r = Exp(x) y = MatMul(r, w) z = Exp(y) }}"
    found = cost(text, "MatMul")
    assert (found.bound, found.group, found.read, found.written) == ("memory", "memory", 512 * 64, 0)


def test_a_small_weight_is_bound_by_what_a_layer_costs_however_small():
    weight = f"float[8,8] w = {{{','.join(['1'] * 64)}}}"
    found = cost(f"g (float[1,8] x) => (z) <{weight}> {{ r = Exp(x) y = MatMul(r, w) z = Exp(y) }}", "MatMul")
    assert 0 < found.computing.mid < found.moving.mid
    assert (found.bound, found.group, found.weights) == ("overhead", "memory", 64)


def test_what_is_folded_or_fused_costs_nothing():
    text = f"g (float[1,8,8,8] x) => (z) {WEIGHT} {{ y = Conv(x, w) r = Relu(y) z = Exp(r) }}"
    assert cost(text, "Relu").us.mid == 0
    assert cost(text, "Relu").bound == "fused"
    assert cost(text, "Conv", "folded").us.mid == 0


@pytest.mark.parametrize(
    ("device", "why"), [("unknown", "no public limit decides its device"), ("refused", "the toolchain refuses it")]
)
def test_an_undecided_device_is_timed_as_the_bpu(device, why):
    text = "g (float[1,8,64,64] x) => (y) { y = Exp(x) }"
    found = cost(text, "Exp", device)
    assert found.us == cost(text, "Exp").us
    assert (found.device, found.basis, found.reason) == (device, Basis.ASSUMED, f"{why}: timed as on the BPU")


def test_an_undecided_operator_without_an_estimate_is_timed_as_the_cpu():
    found = cost("g (float[1,8] x) => (y) { y = Hardmax(x) }", "Hardmax", "unknown")
    assert found.us.known
    assert found.reason.endswith("timed as on the CPU")


@pytest.mark.parametrize(
    ("text", "op", "reason"),
    [
        ("g (float[N,8,8,8] x) => (y) { y = Exp(x) }", "Exp", "dim 'N' of "),
        ("g (float[N,8] x) => (y) { y = Flatten(x) }", "Flatten", "dim 'N' of 'y' is symbolic"),
        ("g (float[1,8] x) => (y) { y = RandomNormalLike(x) }", "RandomNormalLike", "no estimate for RandomNormalLike"),
    ],
)
def test_no_estimate_says_why(text, op, reason):
    found = cost(text, op)
    assert not found.us.known
    assert reason in found.reason
    assert found.bound == "unknown"


def test_a_custom_operator_has_no_estimate_on_any_device():
    text = '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1,8] x) => (float[1,8] y) { y = my.Thing(x) }'
    for device in ("bpu", "cpu"):
        assert "domain 'my'" in cost(text, "Thing", device).reason


IF = """g (float[1,8] x, bool c) => (float[1,8] y) { y = If (c) <
    then_branch = a () => (float[1,8] p) { p = Exp(x) }, else_branch = b () => (float[1,8] q) { q = Neg(x) } > }"""
SCAN = """g (float[4,8] x) => (float[4,8] y) { y = Scan <num_scan_inputs = 1,
    body = s (float[8] i) => (float[8] o) { o = Exp(i) }> (x) }"""


def test_a_node_of_a_branch_may_cost_nothing():
    found = cost(IF, "Exp", "cpu")
    assert found.us.low == 0 < found.us.mid
    assert found.basis is Basis.ASSUMED
    assert cost(IF, "If", "cpu").us.known


def test_how_often_a_loop_runs_is_not_known():
    for op in ("Scan", "Exp"):
        assert "the body of Scan runs" in cost(SCAN, op, "cpu").reason
