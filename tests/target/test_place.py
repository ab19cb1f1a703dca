"""Placement: folds, passive operators, segments, borders, refusals, counts."""

from __future__ import annotations

import pytest

from surgery.ir import Model
from surgery.report.witness import same_place
from surgery.target import Placement, load_target, place
from tests.support import model_of
from tests.target.networks import CONV, FOLDED, LAST, NEIGHBOURS, PARTED, POINT, POOL, TO_TOKENS, network


def placed(body: str, march: str = "bayes-e") -> Placement:
    """Placement of a graph given by its nodes."""
    return place(network(body), load_target(march))


def devices(placement: Placement) -> str:
    """One letter per node: Bpu, Cpu, Folded, Refused, Unknown."""
    return "".join(row.device[0] for row in placement.rows)


@pytest.mark.parametrize(("body", "expected"), FOLDED)
def test_what_is_folded(body: str, expected: str) -> None:
    assert devices(placed(body)) == expected


def test_a_folded_row_says_where_it_went() -> None:
    placement = placed(f"a = {CONV}(x, w) y = Relu(a)")
    conv, relu = placement.rows
    assert relu.note == f"into {conv.node.name}"
    assert placement.folds.home(relu.node) is conv.node


@pytest.mark.parametrize(("body", "march", "expected"), NEIGHBOURS)
def test_neighbours_decide(body: str, march: str, expected: str) -> None:
    assert devices(placed(body, march)) == expected


@pytest.mark.parametrize(("body", "march", "expected", "segments"), PARTED)
def test_devices_and_segments(body: str, march: str, expected: str, segments: int) -> None:
    placement = placed(body, march)
    assert (devices(placement), placement.segments) == (expected, segments)


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (f"{TO_TOKENS} b = MatMul(t, out_odd) y = Relu(b)", False),
        (f"{TO_TOKENS} b = MatMul(t, out_odd) y = Neg(b)", True),
        (f"{TO_TOKENS} b = MatMul(t, outwards) y = Relu(b)", True),
        (f"{LAST} b = MatMul(t, out_odd) y = Relu(b)", True),
        (f"{LAST} b = MatMul(t, out_even) y = Relu(b)", False),
    ],
)
def test_parts_of_products_that_the_compiler_fails_on(body: str, taken: bool) -> None:
    placement = placed(body, "bernoulli2")
    refused = [v.constraint for row in placement.rows if row.device == "refused" for v in row.verdict.violations]
    assert (placement.accepted, refused) == ((True, []) if taken else (False, ["MatMul.parts"]))


def test_where_what_is_gone_counts() -> None:
    joined = placed(f"a = {CONV}(x, w) r = Reshape(a, squares) q = Reshape(r, joined) y = {CONV}(q, w)", "bernoulli2")
    assert joined.host(joined.rows[1]) == "folded", "one with the Reshape behind it, which is gone too"
    root = placed(f"a = {CONV}(x, w) b = Add(a, tiny) s = Sqrt(b) y = Reciprocal(s)", "bernoulli2")
    assert root.host(root.rows[1]) == "cpu", "a number under a root goes into the root, not into the convolution"


def test_what_goes_into_a_node_on_the_cpu_is_told_apart() -> None:
    far = "Conv<kernel_shape=[3, 3], pads=[3, 3, 3, 3], dilations=[3, 3]>"
    norm = "y = BatchNormalization(a, c, c, c, c)"
    on_cpu, on_bpu = (placed(f"a = {conv}(x, w) {norm}", "bernoulli2") for conv in (far, CONV))
    assert [on_cpu.host(row) for row in on_cpu.rows] == [None, "cpu"]
    assert [on_bpu.host(row) for row in on_bpu.rows] == [None, "bpu"]
    assert same_place("folded", "cpu", "cpu")
    assert not same_place("folded", "cpu", "bpu")


def test_why_a_node_waits() -> None:
    assert (
        placed(f"a = {CONV}(x, w) y = {POOL}(a)").rows[-1].note == "passive: nothing quantised is before or behind it"
    )
    assert placed(f"a = {CONV}(x, w) y = Cos(a)", "bernoulli2").rows[-1].note == "waiting: nothing quantised reads it"


def test_a_model_with_nothing_for_the_bpu_is_refused() -> None:
    placement = placed("y = Neg(x)")
    assert [refusal.rule for refusal in placement.refusals] == ["model.nothing"]
    assert not placement.accepted
    assert place(model_of("g (float[1,8] x) => (float[1,8] y) { y = Neg(x) }"), load_target("nash-e")).accepted


def test_operators_of_other_domains_are_refused() -> None:
    text = "<ir_version: 7, opset_import: ['' : 11, 'made.up' : 1]> g (float[1,8] x) => (float[1,8] y) { y = Relu(x) }"
    model = model_of(text.partition("> ")[2], opset=11)
    model.graph.nodes[0].domain = "made.up"
    assert "model.domains" in {refusal.rule for refusal in place(model, load_target("bayes-e")).refusals}


def test_a_pad_goes_into_a_pool_of_one_pixel_which_then_stays() -> None:
    """Not in a circle: what holds a Pad is no longer a node that does nothing (probed)."""
    pad, pool, _ = placed(f"a = Pad(x, some) b = AveragePool<kernel_shape=[1,1]>(a) y = {CONV}(b, w)").rows
    assert (pad.device, pad.note) == ("folded", "into b")
    assert pool.device != "folded"


def test_a_pad_of_other_values_than_zero_stays() -> None:
    """Probed: a Pad of ones in front of a convolution has a row of its own."""
    assert devices(placed(f"a = {CONV}(x, w) b = Pad(a, some) y = {CONV}(b, w)")) == "bfb"
    assert devices(placed(f"a = {CONV}(x, w) b = Pad(a, some, k) y = {CONV}(b, w)")) == "bbb"


def test_segments_are_parted_by_the_cpu() -> None:
    placement = placed(f"a = {CONV}(x, w) b = Neg(a) d = {CONV}(b, w) e = Neg(d) y = {CONV}(e, w)")
    assert [row.segment for row in placement.rows] == [0, None, 1, None, 2]
    assert placement.segments == 3
    crossing = [(before.node.op, after.node.op) for before, after in placement.borders()]
    assert crossing == [("Conv", "Neg"), ("Neg", "Conv"), ("Conv", "Neg"), ("Neg", "Conv")]


def test_a_way_round_the_cpu_makes_a_new_segment() -> None:
    placement = placed(f"a = {CONV}(x, w) b = Neg(a) d = Tanh(a) e = Tanh(b) y = Mul(d, e)")
    assert [row.segment for row in placement.rows] == [0, None, 0, 1, 1]


def test_readers_of_one_value_share_a_segment() -> None:
    placement = placed(f"a = {CONV}(x, w) b = {CONV}(x, w) d = Neg(a) e = Neg(b) y = Add(d, e)")
    assert [row.segment for row in placement.rows][:2] == [0, 0]


def test_a_slice_of_what_the_cpu_makes_is_a_segment_of_its_own() -> None:
    """On the X3, where nothing else has the value quantised; put to the vendor's checker."""
    body = "a = Neg(x) b = Slice(a, one, two, axis) d = Slice(b, one, two, two) y = Sigmoid(d)"
    assert [row.segment for row in placed(body, "bernoulli2").rows] == [None, 0, 0, 1]
    assert placed(body, "bayes-e").segments == 1
    assert placed(f"{body} z = Sigmoid(a)", "bernoulli2").segments == 1
    assert placed(body.replace("Neg", "Tanh"), "bernoulli2").segments == 1


def test_summary() -> None:
    summary = placed(f"a = {CONV}(x, w) b = Relu(a) d = Neg(b) y = {POINT}(d, p)").summary()
    assert (summary.nodes, summary.bpu, summary.cpu, summary.folded, summary.segments) == (4, 2, 1, 1, 2)
    assert summary.macs == 16 * 16 * 8 * (8 * 9 + 8)
    assert summary.mac_coverage == 1.0
    assert summary.as_dict()["nodes"] == 4


def test_coverage_is_the_share_of_work_on_the_bpu() -> None:
    wide = CONV.replace("pads=[1, 1, 1, 1]", "pads=[3, 3, 3, 3], dilations=[3, 3]")
    summary = placed(f"a = {CONV}(x, w) y = {wide}(a, w)", "bernoulli2").summary()
    assert (summary.cpu, summary.mac_coverage) == (1, 0.5)


def test_no_work_has_no_coverage() -> None:
    assert placed("y = Neg(x)").summary().mac_coverage is None


def test_a_refused_node_is_not_accepted() -> None:
    placement = placed("a = Hardmax(x) y = Relu(a)")
    assert not placement.refusals
    assert not placement.accepted
    assert placement.row(placement.rows[0].node).device == "refused"


def refused(model: Model, march: str = "bayes-e") -> dict[str, tuple[object, str]]:
    return {r.rule: (r.found, r.allowed) for r in load_target(march).refusals(model)}


def test_rules_about_models() -> None:
    assert refused(model_of("g (float[1,8] x) => (float[1,8] y) { y = Relu(x) }", opset=13)) == {
        "model.opset": (13, "9..11")
    }
    dynamic = model_of("g (float[n,8] x) => (float[n,8] y) { y = Relu(x) }", opset=11)
    assert refused(dynamic) == {"model.dynamic_dims": ("x: n", "not dynamic_dims")}
    outputs = ", ".join(f"float[1,8] y{i}" for i in range(33))
    nodes = " ".join(f"y{i} = Relu(x)" for i in range(33))
    many = model_of(f"g (float[1,8] x) => ({outputs}) {{ {nodes} }}", opset=11)
    assert refused(many) == {"model.outputs": (33, "at most 32")}
    assert refused(many, "nash-e") == {}
    new = model_of("g (float[1,8] x) => (float[1,8] y) { y = Relu(x) }", opset=11, ir_version=10)
    assert refused(new) == {"model.ir_version": (10, "3..9")}
    deep = model_of("g (float[1,2,2,2,2,2] x) => (float[1,2,2,2,2,2] y) { y = Relu(x) }", opset=11)
    assert set(refused(deep)) == {"model.input_ranks"}


def test_bodies_are_placed_and_never_on_the_bpu() -> None:
    text = """g (bool b, float[1,8] x) => (float[1,8] y) {
        y = If(b) <then_branch = t () => (float[1,8] p) { p = Relu(x) },
                   else_branch = e () => (float[1,8] q) { q = Neg(x) }> }"""
    placement = place(model_of(text, opset=11), load_target("bayes-e"))
    assert {row.node.op: row.device for row in placement.rows} == {"If": "refused", "Relu": "cpu", "Neg": "cpu"}


def test_nash_with_borrowed_limits() -> None:
    body = f"a = {CONV}(x, w) y = Relu(a)"
    model = model_of(
        "g (float[1,8,16,16] x) => (float[1,8,16,16] y) <float[8,8,3,3] w = {"
        + ", ".join(["0"] * 576)
        + "}> {"
        + body
        + "}"
    )
    assert devices(place(model, load_target("nash-e"))) == "uf"
    assert devices(place(model, load_target("nash-e", assume="bayes-e"))) == "bf"


@pytest.mark.parametrize(("size", "device"), [(7, "folded"), (8, "cpu")])
def test_a_flattened_map_of_seven_by_seven_at_most_goes_into_the_gemm(size: int, device: str) -> None:
    inputs = f"float[1,2,{size},{size}] x, float[{2 * size * size},3] w"
    text = f"g ({inputs}) => (float[1,3] y) {{ a = Flatten(x) y = Gemm(a, w) }}"
    assert place(model_of(text, opset=11), load_target("bernoulli2")).rows[0].device == device


def test_what_dies_on_the_bpu_is_refused_only_there() -> None:
    """Of 8 channels a DepthToSpace breaks the compiler of the X3, unless it is left on the CPU (probed)."""
    body = f"a = {CONV}(x, w) b = DepthToSpace<blocksize=2>(a) y = "
    on_bpu, on_cpu = placed(body + "Tanh(b)", "bernoulli2"), placed(body + "Neg(b)", "bernoulli2")
    assert (on_bpu.rows[1].device, on_bpu.accepted) == ("refused", False)
    assert [v.constraint for v in on_bpu.rows[1].verdict.violations] == ["DepthToSpace.channels"]
    assert (on_cpu.rows[1].device, on_cpu.accepted, on_cpu.rows[1].verdict.violations) == ("cpu", True, ())
