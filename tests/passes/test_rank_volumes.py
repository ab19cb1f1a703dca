"""normalise-rank: networks of NxCxDxHxW as Nx(DC)xHxW."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import surgery
from passes.rank.region import accepts
from passes.rank.volumes import Volume
from passes.rank.windows import depths
from surgery.pipeline.result import Status
from surgery.rewrite import Mismatch
from tests.passes.rank_models import net, run

pytestmark = pytest.mark.usefixtures("paying")

BOX = "[1,2,4,5,6]"
CONV = "a = Conv <pads = [1, 1, 1, 1, 1, 1]> (x, w)"
NORM = {"k": (2,), "m": (2,), "v": np.full(2, 0.75, np.float32)}
HELD = {"w": (2, 2, 3, 3, 3), "bias": (2,), **NORM}
LIFTED = {
    # nodes, constants, result, operators of one layer and how many there are
    "Conv": (f"{CONV}  y = Relu (a)", {}, BOX, {"Conv": 4, "Slice": 4, "Concat": 1, "Relu": 1}),
    "of one layer": ("y = Conv <pads = [0, 1, 1, 0, 1, 1]> (x, w1, bias)", {"w1": (2, 2, 1, 3, 3)}, BOX,
                     {"Conv": 4, "Concat": 1}),
    "of all layers": ("y = Conv (x, w4)", {"w4": (3, 2, 4, 1, 1)}, "[1,3,1,5,6]", {"Conv": 1}),
    "strides and dilations": (
        "y = Conv <strides = [2, 1, 1], dilations = [2, 1, 1], pads = [1, 0, 0, 2, 0, 0]> (x, w)", {},
        "[1,2,2,3,4]", {"Conv": 2, "Concat": 3},
    ),
    "two": (f"{CONV}  y = Conv <pads = [1, 1, 1, 1, 1, 1]> (a, w)", {}, BOX, {"Conv": 8, "Concat": 2, "Transpose": 2}),
    "constants": (f"{CONV}  b = Mul (a, c)  d = Add (b, f)  y = Sub (d, e)",
                  {"c": (2, 1, 1, 1), "f": (1, 2, 4, 1, 6), "e": np.float32(2)}, BOX, {"Mul": 1, "Add": 1, "Sub": 1}),
    "normalisation": (f"{CONV}  b = BatchNormalization (a, k, m, m, v)  y = Add (b, x)", {}, BOX,
                      {"BatchNormalization": 1, "Add": 1}),
    "a maximum": (f"{CONV}  y = MaxPool <kernel_shape = [3, 2, 2], strides = [2, 2, 2], pads = [1, 0, 0, 1, 0, 0]> (a)",
                  {}, "[1,2,2,2,3]", {"MaxPool": 1, "Max": 3}),
    "a mean": (f"{CONV}  y = AveragePool <kernel_shape = [2, 2, 2]> (a)", {}, "[1,2,3,4,5]",
               {"AveragePool": 1, "Add": 3, "Mul": 3}),
    "a mean of layers alone": (f"{CONV}  y = AveragePool <kernel_shape = [1, 2, 2]> (a)", {}, "[1,2,4,4,5]",
                               {"AveragePool": 1, "Add": 0, "Mul": 0}),
    "the mean of all": (f"{CONV}  y = GlobalAveragePool (a)", {}, "[1,2,1,1,1]", {"GlobalAveragePool": 1, "Conv": 5}),
    "joined channels": (f"{CONV}  b = Tanh (a)  y = Concat <axis = 1> (a, b)", {}, "[1,4,4,5,6]", {"Concat": 2}),
    "joined depth": (f"{CONV}  b = Tanh (a)  y = Concat <axis = 2> (a, b)", {}, "[1,2,8,5,6]", {"Concat": 2}),
    "a batch": ("y = Conv <pads = [1, 0, 0, 1, 0, 0]> (x, w3)", {"w3": (2, 2, 3, 1, 1)}, "[3,2,4,5,6]", {"Conv": 4}),
}  # fmt: skip


@pytest.mark.parametrize("name", LIFTED)
def test_volumes(name: str) -> None:
    body, held, after, count = LIFTED[name]
    given_ = {k: v for k, v in {**HELD, **held}.items() if f"{k})" in body or f"{k}," in body}
    done = run(net(body, BOX if name != "a batch" else "[3,2,4,5,6]", after, **given_), "bernoulli2")
    assert [e.change.rule for e in done.result.edits] == ["lift-volumes"], done.reasons
    assert {op: done.ops.count(op) for op in count} == count
    assert all(t.rank == 4 for n in done.model.nodes() if n.op == "Conv" for t in (*n.inputs[:2], *n.outputs))


def test_the_text() -> None:
    done = run(net("y = Conv (x, w)", "[1,2,3,2,2]", "[1,2,1,2,2]", opset=11, w=(2, 2, 3, 1, 1)), "bernoulli2")
    assert "Transpose <perm: ints = [0, 2, 1, 3, 4]> (x)" in done.text
    assert "kernel_shape: ints = [1, 1], pads: ints = [0, 0, 0, 0], strides: ints = [1, 1]" in done.text
    assert done.ops == ["Transpose", "Reshape", "Conv", "Reshape"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_convolution(data: st.DataObject) -> None:
    """Kernel, stride, dilation and pads of every axis at random, against onnxruntime."""
    draw = data.draw
    sides = draw(st.tuples(st.integers(4, 6), st.integers(3, 5), st.integers(3, 5)))
    kernel, stride = (draw(st.tuples(*[st.integers(1, 3)] * 3)), draw(st.tuples(*[st.integers(1, 2)] * 3)))
    dilation = (draw(st.integers(1, 2)), 1, 1)
    begin, end = (draw(st.tuples(*[st.integers(0, 1)] * 3)) for _ in range(2))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    out = [(s + b + e - r) // t + 1 for s, b, e, r, t in zip(sides, begin, end, reach, stride, strict=True)]
    body = f"y = Conv <strides = {list(stride)}, dilations = {list(dilation)}, pads = {[*begin, *end]}> (x, w)"
    if min(out) < 1:
        return
    done = run(net(body, f"[1,2,{sides[0]},{sides[1]},{sides[2]}]", str([1, 3, *out]), w=(3, 2, *kernel)), "bernoulli2")
    node = net(body, f"[1,2,{sides[0]},{sides[1]},{sides[2]}]", str([1, 3, *out]), w=(3, 2, *kernel)).graph.nodes[0]
    assert done.result.applied == all(depths(node))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["MaxPool", "AveragePool"]), st.tuples(*[st.integers(1, 3)] * 3), st.integers(1, 2))
def test_any_pooling(op: str, kernel: tuple[int, int, int], stride: int) -> None:
    out = [(side - k) // stride + 1 for side, k in zip((4, 5, 6), kernel, strict=True)]
    body = f"a = Sin (x)  y = {op} <kernel_shape = {list(kernel)}, strides = {[stride] * 3}> (a)"
    assert run(net(body, BOX, str([1, 2, *out])), "bayes-e").result.applied == 1


def test_bayes_e_has_convolutions_of_rank_5_itself() -> None:
    assert run(net(f"{CONV}  y = Relu (a)", BOX, BOX, w=HELD["w"])).result.status is not Status.APPLIED


REFUSED = {
    "deep": ("y = Relu (x)", "[1,2,65,1,1]", "[1,2,65,1,1]", {}, "'x' is 65 deep, at most 64 layers become channels"),
    "groups": ("y = Conv <group = 2> (x, w)", BOX, BOX, {"w": (2, 1, 1, 1, 1)}, "has 2 groups, it must have 1"),
    "padding alone": (
        "y = Conv <pads = [2, 0, 0, 0, 0, 0]> (x, w)", BOX, "[1,2,5,5,6]", {"w": (2, 2, 2, 1, 1)},
        "a layer of the result sees padding alone",
    ),
    "unknown pads": (
        'y = MaxPool <auto_pad = "SAME_UPPER", kernel_shape = [2, 2]> (x)', "[1,2,4,5]", "[1,2,4,5]", {},
        "rank 4, it must be 5",
    ),
    "indices": ("y, i = MaxPool <kernel_shape = [1, 1, 1]> (x)", BOX, BOX, {}, "gives indices, too"),
    "ceil_mode": (
        "y = MaxPool <kernel_shape = [1, 2, 2], ceil_mode = 1> (x)", BOX, "[1,2,4,4,5]", {}, "ceil_mode is set"
    ),
    "padded means": (
        "y = AveragePool <kernel_shape = [3, 1, 1], pads = [1, 0, 0, 1, 0, 0]> (x)", BOX, BOX, {},
        "pads depth by [1, 1], a mean must see whole windows",
    ),
    "joined height": ("y = Concat <axis = 3> (x, x)", BOX, "[1,2,4,10,6]", {}, "joins along axis 3"),
    "symbolic": ("y = Relu (x)", '[1,2,"D",5,6]', '[1,2,"D",5,6]', {}, "'x' has the shape 1x2xDx5x6"),
    "a large constant": ("y = Add (x, k)", BOX, "[1,1,2,4,5,6]", {"k": (1, 1, 1, 1, 1, 1)}, "rank 6"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_volume_does_not_hold(name: str) -> None:
    body, x, y, held, reason = REFUSED[name]
    with pytest.raises(Mismatch) as refused:
        accepts(Volume(), net(body, x, y, **held).graph.nodes[-1])
    assert reason in refused.value.reason


def test_a_window_of_unknown_pads() -> None:
    node = net('y = Conv <auto_pad = "SAME_UPPER"> (x, w)', BOX, BOX, w=(2, 2, 3, 3, 3)).graph.nodes[0]
    node.inputs[0].shape = (1, 2, "D", 5, 6)
    with pytest.raises(Mismatch, match="the kernel and the pads of three axes must be known"):
        depths(node)


def test_a_region_is_looked_at_from_each_of_its_nodes_without_being_found_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = []
    monkeypatch.setattr("passes.rank.region.accepts", lambda layout, node: looked.append(node) or accepts(layout, node))
    chain = "  ".join(f"v{i + 1} = Conv <pads = [1, 1, 1, 1, 1, 1]> (v{i}, w)" for i in range(20))
    model = net(f"v0 = Relu (x)  {chain}  y = Relu (v20)", BOX, BOX, w=(2, 2, 3, 3, 3))
    document = surgery.check(model, march="bernoulli2")
    cured = [row for row in document.nodes if any("normalise-rank" in v.cured_by for v in row.violations)]
    assert len(cured) >= 20
    assert len(looked) <= 2 * len(document.nodes)
