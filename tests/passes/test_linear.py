"""fuse-convs: branches that add up, convolutions in a row, factors before a convolution, Focus stems."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from passes.linear import FuseConvs, TileKernels
from surgery.ir import Constant, Model
from surgery.pipeline.result import Status
from tests.support import Applied, apply_pass, proto_of

NORM = {"s": (4,), "t": (4,), "m": (4,), "v": np.array([0.5, 1.0, 2.0, 3.0], np.float32)}


def net(body: str, x: str = "float[1,4,6,6]", y: str = "float[1,4,6,6]", opset: int = 13, **constants: Any) -> Model:
    """The model of ``body``, with inferred shapes when ``y`` is ""; a tuple is random float32 of that shape."""
    proto = proto_of(f"g ({x} x) => ({y or 'float[N]'} y) {{ {body} }}", opset=opset)
    rng = np.random.default_rng(7)
    for name, value in constants.items():
        array = rng.standard_normal(value).astype(np.float32) if isinstance(value, tuple) else value
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    if not y:
        proto.graph.output[0].type.tensor_type.ClearField("shape")
        proto = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    return Model.load(proto)


def fused(body: str, **options: Any) -> Applied:
    """What fuse-convs makes of it, verified."""
    return apply_pass(net(body, **options), FuseConvs())


def conv(applied: Applied) -> dict[str, Any]:
    """The attributes of the only node, a convolution, with the shape of its weight."""
    [node] = applied.model.graph.nodes
    assert node.op == "Conv"
    return {**node.attrs, "weight": node.inputs[1].shape}


SAME = "kernel_shape = [3, 3], pads = [1, 1, 1, 1]"


def test_repvgg() -> None:
    done = fused(
        f"a = Conv <{SAME}> (x, w, c)  b = Conv (x, u)  d = BatchNormalization (x, s, t, m, v)"
        " e = Add (a, b)  y = Add (e, d)",
        w=(4, 4, 3, 3),
        c=(4,),
        u=(4, 4, 1, 1),
        **NORM,
    )
    assert conv(done)["weight"] == (4, 4, 3, 3)
    assert conv(done)["pads"] == [1, 1, 1, 1]


def test_the_name_is_that_of_the_largest_branch() -> None:
    model = net(f"a = Conv (x, u)  b = Conv <{SAME}> (x, w)  y = Add (a, b)", w=(4, 4, 3, 3), u=(4, 4, 1, 1))
    [small, large, _] = model.graph.nodes
    small.name, large.name = "small", "large"
    assert [node.name for node in apply_pass(model, FuseConvs()).model.graph.nodes] == ["large"]


def test_repmixer() -> None:
    """As FastViT trains it: ``x + scale * (mixer(x) - norm(x))``."""
    done = fused(
        f"a = Conv <{SAME}, group = 4> (x, w)  b = Conv <group = 4> (x, u)  d = Add (a, b)"
        " n = BatchNormalization (x, s, t, m, v)  e = Sub (d, n)  f = Mul (e, l)  y = Add (x, f)",
        w=(4, 1, 3, 3),
        u=(4, 1, 1, 1),
        l=(4, 1, 1),
        **NORM,
    )
    # the shortcut stays: the vendor's optimiser computes it within the convolution
    assert done.ops == ["Conv", "Mul", "Add"]


def test_kernels_of_other_places_steps_and_groups() -> None:
    done = fused(
        "a = Conv <kernel_shape = [2, 1], pads = [2, 0, 2, 0], dilations = [4, 1], group = 2> (x, w)"
        " b = Conv <kernel_shape = [5, 1], pads = [2, 0, 2, 0], group = 4> (x, u)  y = Add (a, b)",
        w=(4, 2, 2, 1),
        u=(4, 1, 5, 1),
    )
    assert done.result.status is not Status.APPLIED  # 5 taps of 2 channels are more than 2 of 2 and 5 of 1
    done = fused(
        "a = Conv <kernel_shape = [3, 1], pads = [2, 0, 2, 0], dilations = [2, 1], group = 2> (x, w)"
        " b = Conv <kernel_shape = [5, 1], pads = [2, 0, 2, 0], group = 2> (x, u)  y = Sub (a, b)",
        w=(4, 2, 3, 1),
        u=(4, 2, 5, 1),
    )
    assert (conv(done)["weight"], conv(done)["group"], conv(done)["dilations"]) == ((4, 2, 5, 1), 2, [1, 1])


def test_strided_branches() -> None:
    done = fused(
        f"a = Conv <{SAME}, strides = [2, 2]> (x, w)  b = Conv <strides = [2, 2]> (x, u)  y = Add (a, b)",
        y="float[1,4,3,3]",
        w=(4, 4, 3, 3),
        u=(4, 4, 1, 1),
    )
    assert (conv(done)["strides"], conv(done)["pads"]) == ([2, 2], [1, 1, 0, 0])


def test_two_convolutions() -> None:
    done = fused(
        f"a = Conv (x, w)  y = Conv <{SAME}> (a, u, c)",
        y="float[1,5,6,6]",
        w=(4, 4, 1, 1),
        u=(5, 4, 3, 3),
        c=(5,),
    )
    assert conv(done)["weight"] == (5, 4, 3, 3)
    done = fused(
        "a = Conv <strides = [2, 2]> (x, w, b)  y = Conv (a, u, c)",
        y="float[1,3,3,3]",
        w=(4, 4, 2, 2),
        b=(4,),
        u=(3, 4, 1, 1),
        c=(3,),
    )
    assert (conv(done)["weight"], conv(done)["strides"]) == ((3, 4, 2, 2), [2, 2])


def test_a_factor_before_a_padded_convolution() -> None:
    done = fused(f"a = Relu (x)  b = Mul (a, f)  y = Conv <{SAME}> (b, w)", w=(4, 4, 3, 3), f=(1, 4, 1, 1))
    assert done.ops == ["Relu", "Conv"]


def test_normalised_input() -> None:
    done = fused(
        "a = Sub (x, m)  b = Div (a, d)  y = Conv (b, w)",
        w=(4, 4, 1, 1),
        m=(1, 4, 1, 1),
        d=np.full((4, 1, 1), 3, np.float32),
    )
    assert done.ops == ["Conv"]


FOCUS = """
    t = Slice (x, o0, e, a2, two)  u = Slice (x, o1, e, a2, two)
    p = Slice (t, o0, e, a3, two)  q = Slice (u, o0, e, a3, two)
    r = Slice (t, o1, e, a3, two)  s = Slice (u, o1, e, a3, two)
    f = Concat <axis = 1> (p, q, r, s)
"""
INDICES = {
    "o0": np.array([0]),
    "o1": np.array([1]),
    "e": np.array([2**31]),
    "a2": np.array([2]),
    "a3": np.array([-1]),
    "two": np.array([2]),
}


def test_focus() -> None:
    done = fused(
        f"{FOCUS} y = Conv <{SAME}> (f, w, b)",
        x="float[1,3,8,8]",
        y="float[1,5,4,4]",
        w=(5, 12, 3, 3),
        b=(5,),
        **INDICES,
    )
    assert (conv(done)["weight"], conv(done)["strides"], conv(done)["pads"]) == ((5, 3, 6, 6), [2, 2], [2, 2, 2, 2])


ADD = "y = Add (a, b)"
TALL, FLAT = "kernel_shape = [3, 1], pads = [1, 0, 1, 0]", "kernel_shape = [1, 3], pads = [0, 1, 0, 1]"
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "one convolution": (f"a = Conv <{SAME}> (x, w)  y = Add (a, x)", {}, "fewer than two convolutions"),
    "a constant": ("a = Conv (x, u)  y = Add (a, c4)", {}, "adds a constant"),
    "two tensors": ("a = Relu (x)  b = Conv (a, u)  e = Conv (x, u)  y = Add (b, e)", {}, "they must be of one tensor"),
    "strides": (
        f"a = Conv <{SAME}> (x, w) b = Conv <kernel_shape = [2, 2], strides = [2, 2], pads = [3, 3, 3, 3]> (x, k){ADD}",
        {},
        "the operands differ in shape or stride",
    ),
    "more products": (
        f"a = Conv <{TALL}> (x, h)  b = Conv <{FLAT}> (x, j)  {ADD}",
        {},
        "one convolution would take 5184 products instead of 3456",
    ),
    "a narrow middle": (
        "a = Conv (x, to)  y = Conv (a, back)",
        {"to": (1, 4, 1, 1), "back": (4, 1, 1, 1)},
        "one convolution would take 576 products, the two take 288",
    ),
    "a shift and pads": (f"a = Conv (x, u, c)  y = Conv <{SAME}> (a, w)", {}, "whose zeros would not stay zeros"),
    "overlapping pads": (
        f"a = Conv <{SAME}, group = 4> (x, d)  y = Conv <{SAME}, group = 4> (a, d)",
        {},
        "no zeros when the first is computed there, too",
    ),
    "part of a GELU": ("a = Tanh (x)  b = Mul (a, half)  y = Conv (b, u)", {}, "with which it may be an activation"),
    "not per channel": ("a = Mul (x, plane)  y = Conv (a, u)", {}, "which is not one per channel"),
    "by zero": ("a = Div (x, zero)  y = Conv (a, u)", {}, "divides by what is computed, or by zero"),
    "read twice": ("a = Conv (x, u)  b = Conv (a, u)  y = Add (a, b)", {}, "one reader must be the only one"),
    "joined along rows": (
        "p = Conv (x, u)  q = Relu (x)  f = Concat <axis = 2> (p, q)  y = Conv (f, u)",
        {"y": "float[1,4,12,6]"},
        "does not join along the channels",
    ),
    "no slices": (
        "q = Relu (x)  f = Concat <axis = 1> (q, q)  y = Conv (f, eight)",
        {"eight": (4, 8, 1, 1)},
        "joins no strided slices",
    ),
    "slices of two": (
        "q = Relu (x)  f = Concat <axis = 1> (q, x)  y = Conv (f, eight)",
        {"eight": (4, 8, 1, 1)},
        "joins slices of several tensors or strides",
    ),
}
CONSTANTS: dict[str, Any] = {
    "w": (4, 4, 3, 3), "u": (4, 4, 1, 1), "c": (4,), "c4": (1, 4, 1, 1), "k": (4, 4, 2, 2), "h": (4, 4, 3, 1),
    "j": (4, 4, 1, 3), "d": (4, 1, 3, 3), "half": np.float32(0.5), "plane": (6, 6), "zero": np.float32(0),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    body, given, reason = REFUSED[case]
    options = {**{k: v for k, v in CONSTANTS.items() if f" {k}" in body or f"{k})" in body}, **given}
    verify = case != "by zero"
    done = apply_pass(net(body, **options), FuseConvs(), verify=verify)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons


def test_a_shift_before_a_convolution_without_pads() -> None:
    assert fused("a = Add (x, c)  y = Conv (a, u)", u=(4, 4, 1, 1), c=(4, 1, 1)).ops == ["Conv"]


@st.composite
def layers(draw: Any, channels: int, groups: bool = True) -> tuple[str, tuple[int, ...]]:
    """The attributes of a convolution from ``channels`` to as many or others, and the shape of its weight."""
    group = draw(st.sampled_from([g for g in (1, 2, 4) if channels % g == 0])) if groups else 1
    kernel = [draw(st.integers(1, 3)) for _ in "hw"]
    dilations = [draw(st.integers(1, 2)) for _ in "hw"]
    strides = [draw(st.integers(1, 2)) for _ in "hw"]
    pads = [draw(st.integers(0, 2)) for _ in range(4)]
    text = f"kernel_shape = {kernel}, dilations = {dilations}, strides = {strides}, pads = {pads}, group = {group}"
    outs = draw(st.sampled_from([group, 4, 8]).filter(lambda n: n % group == 0))
    return text, (outs, channels // group, *kernel)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_two_in_a_row(data: st.DataObject) -> None:
    """Whatever is made of two convolutions gives the numbers of both: apply_pass holds them against each other."""
    first, w = data.draw(layers(4))
    second, u = data.draw(layers(w[0]))
    bias = data.draw(st.booleans())
    body = f"a = Conv <{first}> (x, w{', b' * bias})  y = Conv <{second}> (a, u)"
    model = net(body, "float[1,4,9,8]", "", 13, **{"w": w, "u": u, **({"b": (w[0],)} if bias else {})})
    apply_pass(model, FuseConvs())


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_two_side_by_side(data: st.DataObject) -> None:
    """Kernels of any place and step, as long as the sizes agree."""
    group = data.draw(st.sampled_from([1, 2, 4]))
    parts, weights = [], {}
    stride = data.draw(st.integers(1, 2))
    for name in "wu":
        kernel, dilation = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2))
        whole = (kernel - 1) * dilation
        before = data.draw(st.integers(0, whole))
        pads = [before, whole // 2, whole - before, whole - whole // 2]
        parts.append(
            f"kernel_shape = [{kernel}, {kernel}], dilations = [{dilation}, {dilation}], pads = {pads},"
            f" strides = [{stride}, {stride}], group = {group}"
        )
        weights[name] = (4, 4 // group, kernel, kernel)
    op = data.draw(st.sampled_from(["Add", "Sub"]))
    size = -(-7 // stride)
    body = f"a = Conv <{parts[0]}> (x, w)  b = Conv <{parts[1]}> (x, u)  y = {op} (a, b)"
    apply_pass(net(body, "float[2,4,7,7]", f"float[2,4,{size},{size}]", 13, **weights), FuseConvs())


def test_in_float16_beyond_its_range() -> None:
    big = np.full((4, 4, 1, 1), 6e4, np.float16)
    text = "a = Conv (x, w)  b = Conv (x, w)  y = Add (a, b)"
    done = apply_pass(net(text, "float16[1,4,6,6]", "float16[1,4,6,6]", w=big), FuseConvs(), verify=False)
    assert any("beyond the range of float16" in said for said in done.reasons)


def test_a_weight_that_is_computed() -> None:
    proto = proto_of("g (float[1,4,6,6] x, float[4,4,1,1] w) => (float[1,4,6,6] y) "
                     "{ a = Conv (x, w)  b = Conv (x, w)  y = Add (a, b) }", opset=13)  # fmt: skip
    done = apply_pass(Model.load(proto), FuseConvs())
    assert done.result.status is not Status.APPLIED
    onnx.checker.check_model(done.model.to_proto())


@pytest.mark.parametrize(
    ("attrs", "kernel", "left"),
    [
        ("pads = [6, 6, 6, 6], dilations = [6, 6]", (3, 3), (1, 1)),
        ("pads = [6, 5, 6, 5], dilations = [6, 5]", (3, 3), (1, 3)),
        ("pads = [9, 1, 1, 1]", (11, 3), (7, 3)),
        ("pads = [0, 0, 8, 8]", (9, 9), (6, 6)),
        ("pads = [6, 6, 6, 6], dilations = [6, 6], group = 4", (3, 3), (1, 1)),
    ],
)
def test_taps_that_meet_nothing(attrs: str, kernel: tuple[int, int], left: tuple[int, int]) -> None:
    ins = 1 if "group" in attrs else 4
    done = fused(f"y = Conv <{attrs}> (x, w, c)", y="", w=(4, ins, *kernel), c=(4,))
    assert conv(done)["weight"][2:] == left


def test_every_tap_meets_something() -> None:
    done = fused(f"y = Conv <{SAME}> (x, w)", w=(4, 4, 3, 3))
    assert "every row and column of the kernel meets the input" in done.reasons
    done = fused("y = Conv (x, w)", w=(4, 4, 1, 1))
    assert "does not pad" in done.reasons


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_kernel_loses_only_idle_taps(data: st.DataObject) -> None:
    group = data.draw(st.sampled_from([1, 4]))
    kernel = [data.draw(st.integers(1, 9)) for _ in "hw"]
    steps = [data.draw(st.integers(1, 6)) for _ in "hw"]
    strides = [data.draw(st.integers(1, 3)) for _ in "hw"]
    wide = [(k - 1) * d for k, d in zip(kernel, steps, strict=True)]
    begins = [data.draw(st.integers(0, w)) for w in wide]
    ends = [max(0, w - b) for w, b in zip(wide, begins, strict=True)]
    text = f"pads = {begins + ends}, dilations = {steps}, strides = {strides}, group = {group}"
    sizes = [-(-6 // s) for s in strides]
    y = f"float[1,4,{sizes[0]},{sizes[1]}]"
    model = net(f"y = Conv <{text}> (x, w)", "float[1,4,6,6]", y, 13, w=(4, 4 // group, *kernel))
    apply_pass(model, FuseConvs())


def tiled(attrs: str, kernel: tuple[int, ...], march: str = "bernoulli2", **options: Any) -> Applied:
    """What tile-kernels makes of a depthwise convolution of 32x32, verified."""
    x = options.pop("x", "float[1,8,32,32]")
    model = net(f"y = Conv <{attrs}, group = 8> (x, w, c)", x, "", 11, w=(8, 1, *kernel), c=(8,))
    return apply_pass(model, TileKernels(), march, **options)


@pytest.mark.usefixtures("paying")
def test_kernels_over_the_limit() -> None:
    done = tiled("pads = [4, 4, 4, 4]", (9, 9))
    assert sorted(done.ops) == ["Add"] * 3 + ["Conv"] * 4  # zeros up to the centre make slices unnecessary
    done = tiled("pads = [10, 10, 10, 10]", (21, 21))
    assert (done.ops.count("Conv"), "Slice" in done.ops) == (9, True)
    kernels = [node.inputs[1] for node in done.model.nodes() if node.op == "Conv"]
    assert {size for kernel in kernels if isinstance(kernel, Constant) for size in kernel.shape[2:]} == {7}


@pytest.mark.usefixtures("paying")
def test_a_dilation_that_the_march_does_not_take() -> None:
    assert tiled("pads = [3, 3, 3, 3], dilations = [3, 3]", (3, 3)).ops == ["Conv"], "zeros between the taps"
    assert tiled("pads = [5, 5, 5, 5], dilations = [5, 5]", (3, 3)).ops.count("Conv") == 9, "11x11 is too large"
    assert tiled("pads = [2, 2, 2, 2], dilations = [2, 2]", (3, 3)).ops == ["Conv"]


@pytest.mark.usefixtures("paying")
def test_what_cannot_be_tiled() -> None:
    assert any("takes 64" in said or "takes 81" in said for said in tiled("pads = [31, 31, 31, 31]", (63, 63)).reasons)
    unknown = tiled("pads = [4, 4, 4, 4]", (9, 9), x="float[1,8,H,W]", verify=False)
    assert any("all but the batch must be known" in said for said in unknown.reasons)
    assert tiled("pads = [4, 4, 4, 4]", (9, 9), march="bayes-e").ops == ["Conv"]


@pytest.mark.usefixtures("paying")
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_kernel_is_the_sum_of_its_tiles(data: st.DataObject) -> None:
    kernel = tuple(data.draw(st.integers(1, 15)) for _ in "hw")
    steps = [data.draw(st.sampled_from([1, 1, 3, 5])) if k < 4 else 1 for k in kernel]
    wide = [(k - 1) * d for k, d in zip(kernel, steps, strict=True)]
    begins = [data.draw(st.integers(0, w)) for w in wide]
    ends = [data.draw(st.integers(0, w)) for w in wide]
    strides = [data.draw(st.integers(1, 2)) for _ in "hw"]
    tiled(f"pads = {begins + ends}, dilations = {steps}, strides = {strides}", kernel)


def test_what_the_march_does_not_take_is_not_made() -> None:
    """Two halves of a kernel that the X3 does not take stay two."""
    halves = "a = Conv <pads = [4, 0, 0, 0]> (x, u)  b = Conv <pads = [0, 0, 4, 0]> (x, v)  y = Add (a, b)"
    model = net(halves, "float[1,4,6,6]", "", 11, u=(4, 4, 5, 1), v=(4, 4, 5, 1))
    done = apply_pass(model, FuseConvs(), "bernoulli2")
    assert any("one convolution would break Conv.kernel_h: 9" in said for said in done.reasons), done.reasons
    assert apply_pass(model, FuseConvs(), "bayes-e").ops == ["Conv"]
    rows = "a = Conv <pads = [2, 0, 2, 0], group = 4> (x, u)  y = Conv <pads = [2, 0, 2, 0], group = 4> (a, v)"
    tall = net(rows.replace("pads = [2, 0, 2, 0], ", ""), "float[1,4,12,6]", "", 11, u=(4, 1, 5, 1), v=(4, 1, 4, 1))
    done = apply_pass(tall, FuseConvs(), "bernoulli2")
    assert any("one convolution would break Conv.kernel_h: 8" in said for said in done.reasons), done.reasons


SENTENCES: dict[str, tuple[str, dict[str, Any], str]] = {
    "slices of channels": (
        "p = Slice (x, one, end, axis1, two)  f = Concat <axis = 1> (p, p)  y = Conv (f, u)",
        {"axis1": np.array([1])},
        "slices axis 1 by 2",
    ),
    "slices that end early": (
        "p = Slice (x, one, four, axis2, two)  f = Concat <axis = 1> (p, p)  y = Conv (f, eight)",
        {"axis2": np.array([2]), "four": np.array([4])},
        "ends before what it reads does",
    ),
    "slices from a computed place": (
        (
            "sh = Shape (x)  i = Gather (sh, axis1)  p = Slice (x, i, end, axis2, two)  f = Concat <axis = 1> (p, p)"
            "  y = Conv (f, eight)"
        ),
        {"axis1": np.array([1]), "axis2": np.array([2])},
        "starts where is computed",
    ),
    "nothing but padding": (
        "y = Conv <pads = [9, 9, 9, 9], strides = [20, 20]> (x, u)",
        {},
        "no weight meets the input",
    ),
    "an unknown auto_pad": (
        'y = Conv <auto_pad = "SAME_UPPER"> (x, w)',
        {"x": "float[1,4,H,W]"},
        "needs sizes that are not known",
    ),
    "two values divided": ("a = Div (one4, x)  y = Conv (a, u)", {}, "divides by what is computed"),
    "a constant that makes it larger": (
        "a = Mul (x, rows)  y = Conv (a, u)",
        {"x": "float[1,4,1,6]", "rows": (1, 1, 6, 1)},
        "is not one per channel",
    ),
}
EXTRA: dict[str, Any] = {
    **CONSTANTS, "one": np.array([1]), "end": np.array([99]), "two": np.array([2]), "eight": (4, 8, 1, 1),
    "one4": np.ones((1, 4, 1, 1), np.float32),
}  # fmt: skip


@pytest.mark.parametrize("case", SENTENCES)
def test_sentences(case: str) -> None:
    body, given, reason = SENTENCES[case]
    held = {k: v for k, v in EXTRA.items() if re.search(rf"[ (]{k}[,)]", body)}
    done = apply_pass(net(body, **{"y": "", **held, **given}), FuseConvs(), verify=False)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons


def test_strides_in_another_order() -> None:
    """Of one shape by chance: the strides of the two axes are exchanged."""
    body = (
        "a = Conv <strides = [1, 2], pads = [0, 0, 0, 4]> (x, u)"
        "  b = Conv <strides = [2, 1], pads = [4, 0, 0, 0]> (x, u)  y = Add (a, b)"
    )
    done = apply_pass(net(body, "float[1,4,4,4]", "", 11, u=(4, 4, 1, 1)), FuseConvs())
    assert done.result.status is not Status.APPLIED


@pytest.mark.usefixtures("paying")
def test_no_part_that_the_march_takes() -> None:
    """Where nothing of the kernel is legal, and without a march."""
    wide = net("y = Conv <pads = [4, 0, 4, 0], group = 2> (x, w)", "float[1,6000,9,9]", "", 11, w=(2, 3000, 9, 1))
    done = apply_pass(wide, TileKernels(), "bernoulli2", verify=False)
    assert any("no part of the kernel is within the limits" in said for said in done.reasons), done.reasons
    done = apply_pass(net("y = Conv (x, u)", u=(4, 4, 1, 1)), TileKernels())
    assert done.result.status is not Status.APPLIED
