"""normalise-rank: networks of NxCxL as NxCx1xL."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passes.rank import NormaliseRank
from passes.rank.lines import LiftLines, Line
from passes.rank.region import accepts
from surgery.ir import Node
from surgery.pipeline.result import Status
from surgery.rewrite import Mismatch
from tests.passes.rank_models import net, run
from tests.support import apply_pass

pytestmark = pytest.mark.usefixtures("paying")

ROW = "[2,8,12]"
NORM = {"k": (8,), "m": (8,), "v": np.full(8, 0.75, np.float32)}
CONV = "a = Conv <pads = [1, 1]> (x, w)"
LIFTED = {
    # nodes, constants, result, what comes out
    "Conv": (f"{CONV}  y = Relu (a)", {"w": (8, 8, 3)}, ROW, "Unsqueeze Conv Relu Squeeze"),
    "with a bias and a group": (
        "y = Conv <group = 2, strides = [2], dilations = [2]> (x, w, c)", {"w": (6, 4, 3), "c": (6,)}, "[2,6,4]",
        "Unsqueeze Conv Squeeze",
    ),
    "of padding by name": (
        'y = Conv <auto_pad = "SAME_UPPER", kernel_shape = [4]> (x, w)', {"w": (8, 8, 4)}, ROW,
        "Unsqueeze Conv Squeeze",
    ),
    "ConvTranspose": (
        "y = ConvTranspose <strides = [2], pads = [1, 0], output_padding = [1]> (x, w)", {"w": (8, 6, 3)}, "[2,6,25]",
        "Unsqueeze ConvTranspose Squeeze",
    ),
    "constants": (
        f"{CONV}  b = Mul (a, n)  c = Add (b, l)  d = PRelu (c, s)  y = Sub (d, o)",
        {"w": (8, 8, 3), "n": (1, 8, 1), "l": (12,), "s": (8, 1), "o": np.float32(0.5)}, ROW,
        "Unsqueeze Conv Mul Add PRelu Sub Squeeze",
    ),
    "normalisations": (
        f"{CONV}  b = BatchNormalization (a, k, m, m, v)  y = InstanceNormalization (b, k, m)",
        {"w": (8, 8, 3), **NORM}, ROW, "Unsqueeze Conv BatchNormalization InstanceNormalization Squeeze",
    ),
    "poolings": (
        f"""{CONV}  b = MaxPool <kernel_shape = [3], strides = [2], pads = [1, 1]> (a)
            y = AveragePool <kernel_shape = [2], ceil_mode = 1, strides = [2]> (b)""",
        {"w": (8, 8, 3)}, "[2,8,3]", "Unsqueeze Conv MaxPool AveragePool Squeeze",
    ),
    "global poolings": (
        f"{CONV}  b = GlobalAveragePool (a)  y = GlobalMaxPool (b)", {"w": (8, 8, 3)}, "[2,8,1]",
        "Unsqueeze Conv GlobalAveragePool GlobalMaxPool Squeeze",
    ),
    "a shortcut": (f"{CONV}  b = Tanh (a)  y = Add (b, x)", {"w": (8, 8, 3)}, ROW, "Unsqueeze Conv Tanh Add Squeeze"),
    "a Concat and a Pad": (
        f"{CONV}  b = Concat <axis = 1> (a, x, z)  c = Concat <axis = -1> (b, b)  y = Pad (c, p)",
        {"w": (8, 8, 3), "z": (2, 3, 12), "p": [0, 0, 2, 0, 1, 0]}, "[2,20,26]",
        "Unsqueeze Conv Concat Concat Pad Squeeze",
    ),
    "a causal one": (
        "a = Conv <pads = [2, 2]> (x, w)  y = Slice (a, zero, end, two)",
        {"w": (8, 8, 3), "zero": [0], "end": [-2], "two": [2]}, ROW, "Unsqueeze Conv Slice Squeeze",
    ),
    "a Slice with steps of axes that are not stated": (
        f"{CONV}  y = Slice (a, from, to, , steps)",
        {"w": (8, 8, 3), "from": [0, 1, 2], "to": [2, 7, 12], "steps": [1, 2, 3]}, "[2,3,4]",
        "Unsqueeze Conv Slice Squeeze",
    ),
    "bounds": (f"{CONV}  y = Clip (a, l, h)", {"w": (8, 8, 3), "l": np.float32(-1), "h": np.float32(1)}, ROW,
               "Unsqueeze Conv Clip Squeeze"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIFTED)
def test_lines(name: str) -> None:
    body, held, after, ops = LIFTED[name]
    done = run(net(body, ROW, after, **held))
    assert (" ".join(done.ops), done.result.applied) == (ops, 1), done.reasons


def test_a_pad_of_opset_10() -> None:
    body = f"{CONV}  y = Pad <pads = [0, 0, 1, 0, 0, 2]> (a)"
    assert run(net(body, ROW, "[2,8,15]", opset=10, w=(8, 8, 3))).ops == ["Unsqueeze", "Conv", "Pad", "Squeeze"]


def test_the_text() -> None:
    done = run(net("y = Conv <pads = [1, 2], strides = [2]> (x, w)", ROW, "[2,8,7]", opset=11, w=(8, 8, 3)))
    assert "Unsqueeze <axes: ints = [2]> (x)" in done.text
    assert "kernel_shape: ints = [1, 3], pads: ints = [0, 1, 0, 2], strides: ints = [1, 2]" in done.text
    assert "Squeeze <axes: ints = [2]>" in done.text
    assert [n.name for n in done.model.nodes() if n.op == "Conv"] == ["Conv"]


def test_a_slice_of_opset_9() -> None:
    body = f"{CONV}  y = Slice <axes = [2], starts = [1], ends = [9]> (a)"
    assert run(net(body, ROW, "[2,8,8]", opset=9, w=(8, 8, 3))).ops == ["Unsqueeze", "Conv", "Slice", "Squeeze"]


INSIDE = {
    "reshapes around it go": (
        "s = Sin (x)  r = Reshape (s, k)  c = Conv <pads = [1, 1]> (r, w)  q = Reshape (c, l)  y = Cos (q)",
        "[1,8,3,4]", "[1,8,2,6]", {"k": [1, 8, 12], "l": [1, 8, 2, 6]}, "Sin Reshape Conv Reshape Cos",
    ),
    "what is Nx1 already stays": (
        "s = Sin (x)  r = Squeeze (s, k)  c = Conv <pads = [1, 1]> (r, w)  q = Unsqueeze (c, k)  y = Cos (q)",
        "[1,8,1,12]", "[1,8,1,12]", {"k": [2]}, "Sin Conv Cos",
    ),
    "what is reshaped to Nx1 stays": (
        "s = Sin (x)  r = Reshape (s, k)  c = Conv <pads = [1, 1]> (r, w)  q = Reshape (c, l)  y = Cos (q)",
        "[1,8,1,12]", "[1,8,1,12]", {"k": [1, 8, 12], "l": [1, 8, 1, 12]}, "Sin Conv Cos",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_ends_cancel(name: str) -> None:
    body, x, y, held, ops = INSIDE[name]
    assert " ".join(run(net(body, x, y, w=(8, 8, 3), **held)).ops) == ops


def test_a_value_that_is_read_outside_too() -> None:
    """It is lowered once, and the region reads it as it is."""
    body = f"{CONV}  b = Conv (a, v)  c = Softmax (a)  y = Add (b, c)"
    done = run(net(body, ROW, ROW, w=(8, 8, 3), v=(8, 8, 1)))
    assert sorted(done.ops) == sorted(
        ["Unsqueeze", "Conv", "Conv", "Squeeze", "Softmax", "Unsqueeze", "Add", "Squeeze"]
    )


def test_dynamic_sizes_stay_dynamic() -> None:
    done = run(net(f"{CONV}  y = Relu (a)", '["N",8,12]', '["N",8,12]', w=(8, 8, 3)))
    assert done.ops == ["Unsqueeze", "Conv", "Relu", "Squeeze"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_convolution(data: st.DataObject) -> None:
    """Kernel, stride, dilation, pads and groups at random, against onnxruntime."""
    group, kernel = data.draw(st.sampled_from([1, 2, 4])), data.draw(st.integers(1, 4))
    stride, dilation = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    pads, length = data.draw(st.lists(st.integers(0, 2), min_size=2, max_size=2)), data.draw(st.integers(8, 14))
    out = (length + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1
    body = f"y = Conv <strides = [{stride}], dilations = [{dilation}], pads = {pads}, group = {group}> (x, w)"
    done = run(net(body, f"[1,4,{length}]", f"[1,4,{out}]", w=(4, 4 // group, kernel)))
    on_cpu, uneven = stride > 1 and dilation > 1, pads[0] != pads[1]
    assert [op for op in done.ops if op != "Slice"] == ["Unsqueeze", "Conv", "Squeeze"]
    (conv,) = [node for node in done.model.graph.nodes if node.op == "Conv"]
    begin, end = conv.attrs["pads"][1::2]
    assert begin == end if on_cpu and uneven else [begin, end] == pads


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1), st.integers(3, 6))
def test_any_transposed_convolution(kernel: int, stride: int, pad: int, length: int) -> None:
    out = (length - 1) * stride - 2 * pad + kernel
    body = f"y = ConvTranspose <strides = [{stride}], pads = [{pad}, {pad}]> (x, w)"
    done = run(net(body, f"[1,4,{length}]", f"[1,3,{out}]", w=(4, 3, kernel)), "bayes-e")
    assert done.ops == ["Unsqueeze", "ConvTranspose", "Squeeze"]


def test_an_operator_that_stays_on_the_cpu_comes_along() -> None:
    """bernoulli2 has no transposed convolution of a kernel of 1x4; the convolutions beside it are worth it."""
    body = (
        "a = Conv <pads = [1, 1]> (x, w)  b = ConvTranspose <strides = [2], pads = [1, 1]> (a, t)  "
        "y = Conv <pads = [1, 1]> (b, w)"
    )
    done = run(net(body, ROW, "[2,8,24]", w=(8, 8, 3), t=(8, 8, 4)), "bernoulli2")
    assert done.ops == ["Unsqueeze", "Conv", "ConvTranspose", "Conv", "Squeeze"]


def test_nothing_is_done_where_the_march_has_no_limit() -> None:
    assert run(net(f"{CONV}  y = Relu (a)", ROW, ROW, w=(8, 8, 3)), "nash-e").result.status is not Status.APPLIED


def node_of(body: str, x: str, y: str, **held: object) -> Node:
    return net(body, x, y, **held).graph.nodes[-1]


REFUSED = {
    "another operator": ("y = Softmax (x)", ROW, ROW, {}, "Softmax is not written at rank 4"),
    "another rank": ("y = Relu (x)", "[2,8]", "[2,8]", {}, "'x' has rank 2, it must be 3"),
    "computed weights": ("y = Conv (x, x)", ROW, "[2,2,1]", {}, "input 1 ('x') must be constant"),
    "indices": ("y, i = MaxPool <kernel_shape = [2]> (x)", ROW, "[2,8,11]", {}, "gives indices, too"),
    "computed pads": (
        "s = Shape (x)  p = Concat <axis = 0> (s, s)  y = Pad (x, p)", ROW, "[6,24,36]", {},
        "the pads of every axis must be constant",
    ),
    "computed bounds": (
        "s = Shape (x)  y = Slice (x, s, s)", ROW, "[0,0,0]", {}, "input 1 ('s') must be constant",
    ),
    "shapes that meet": ("r = ReduceMax <axes = [2]> (x)  y = Add (x, r)", ROW, ROW, {}, "the shapes must be equal"),
    "a large constant": ("y = Add (x, k)", ROW, "[1,2,8,12]", {"k": (1, 1, 8, 12)}, "must be 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_line_does_not_hold(name: str) -> None:
    body, x, y, held, reason = REFUSED[name]
    with pytest.raises(Mismatch) as refused:
        accepts(Line(), node_of(body, x, y, **held))
    assert reason in refused.value.reason


def test_constants_meet_values_as_before() -> None:
    rng = np.random.default_rng(0)
    like = net("y = Relu (x)", ROW, ROW).graph.inputs[0]
    for shape in [(), (1,), (12,), (8, 1), (8, 12), (1, 8, 1), (2, 8, 12)]:
        array, value = rng.random(shape), rng.random((2, 8, 12))
        made = Line().array(array, like)
        assert made.ndim == 4
        assert np.array_equal((value[:, :, None] + made).squeeze(2), value + array)


def test_a_region_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond it is another region, with reshapes in between."""
    monkeypatch.setattr("passes.rank.region.MOST", 2)
    body = " ".join(["a0 = Conv <pads = [1, 1]> (x, w)", *(f"a{i + 1} = Relu (a{i})" for i in range(4))])
    model = net(f"{body} y = Conv <pads = [1, 1]> (a4, w)", ROW, ROW, w=(8, 8, 3))
    assert apply_pass(model, NormaliseRank(), "bayes-e").result.applied >= 2


def test_the_rule_says_what_it_cures_and_leaves() -> None:
    assert {"Conv.rank", "ConvTranspose.rank", "MaxPool.rank"} <= LiftLines.cures
    assert {"Conv", "Relu", "Unsqueeze", "Squeeze"} <= LiftLines.leaves
