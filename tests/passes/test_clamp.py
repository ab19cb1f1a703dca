"""clamp-conv-channels: what is cut, into what, what refuses and why; and that the numbers stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.clamp import ClampConvChannels
from surgery.ir import Model
from surgery.pipeline.result import Status
from surgery.target import load_target
from tests.passes.clamp_marches import marches, seeded
from tests.support import Applied, apply_pass, model_of

SPLIT = ClampConvChannels()


@pytest.fixture(scope="module")
def march(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return marches(tmp_path_factory.mktemp("marches"))


def conv(inputs: int, outputs: int, kernel: int = 1, group: int = 1, bias: bool = True, batch: str = "1") -> Model:
    text = f"""g (float[{batch},{inputs},5,6] x) => (float[{batch},{outputs},5,6] y) {{
        y = Conv <group = {group}, pads = {[kernel // 2] * 4}> (x, w{", b" if bias else ""})
    }}"""
    shapes = {"w": (outputs, inputs // group, kernel, kernel), **({"b": (outputs,)} if bias else {})}
    return seeded(text, **shapes)


def legal(applied: Applied, path: str) -> bool:
    target = load_target(path)
    return all(target.verdict(n, applied.model.opset).device == "bpu" for n in applied.model.nodes())


def test_output_channels(march: dict[str, str]) -> None:
    model = conv(4, 14)
    applied = apply_pass(model, SPLIT, march["wide"])
    assert applied.text == "\n".join([
        'y_0 = Conv <dilations: ints = [1, 1], group: int = 1, pads: ints = [0, 0, 0, 0]> (x, "w/part", "b/part")',
        'y_1 = Conv <dilations: ints = [1, 1], group: int = 1, pads: ints = [0, 0, 0, 0]> (x, "w/part_1", "b/part_1")',
        "y = Concat <axis: int = 1> (y_0, y_1)",
    ]).replace("y_0", "Conv_output_0").replace("y_1", '"Conv/Conv_output_0"')  # fmt: skip
    assert applied.result.applied == 1
    assert next(applied.model.nodes()).name == next(model.nodes()).name
    assert legal(applied, march["wide"])


def test_input_channels(march: dict[str, str]) -> None:
    applied = apply_pass(conv(20, 4, kernel=3), SPLIT, march["wide"])
    assert applied.ops == ["Split", "Conv", "Conv", "Conv", "Add", "Add"]
    convs = [n for n in applied.model.nodes() if n.op == "Conv"]
    assert [n.inputs[1].shape for n in convs] == [(4, 7, 3, 3), (4, 7, 3, 3), (4, 6, 3, 3)]
    assert [len(n.inputs) for n in convs] == [3, 2, 2], "the bias is added once"
    assert legal(applied, march["wide"])


def test_both_at_once(march: dict[str, str]) -> None:
    applied = apply_pass(conv(12, 14, kernel=3), SPLIT, march["wide"])
    assert applied.ops.count("Conv") == 4
    assert applied.ops.count("Split") == applied.ops.count("Concat") == 1
    assert legal(applied, march["wide"])


def test_kernel_volume(march: dict[str, str]) -> None:
    applied = apply_pass(conv(8, 4, kernel=5), SPLIT, march["wide"])
    assert [n.inputs[1].shape[1] for n in applied.model.nodes() if n.op == "Conv"] == [2, 2, 2, 2]


def test_grouped(march: dict[str, str]) -> None:
    applied = apply_pass(conv(15, 18, kernel=3, group=3), SPLIT, march["wide"])
    assert [n.attrs["group"] for n in applied.model.nodes() if n.op == "Conv"] == [2, 1]
    assert applied.ops == ["Split", "Conv", "Conv", "Concat"]
    assert legal(applied, march["wide"])


def test_within_a_group(march: dict[str, str]) -> None:
    applied = apply_pass(conv(20, 18, kernel=1, group=2), SPLIT, march["wide"])
    assert applied.ops == ["Split", *["Conv", "Conv", "Add", "Conv", "Conv", "Add"] * 2, "Concat"]
    assert legal(applied, march["wide"])


def test_depthwise(march: dict[str, str]) -> None:
    applied = apply_pass(conv(37, 37, kernel=3, group=37), SPLIT, march["wide"])
    convs = [n for n in applied.model.nodes() if n.op == "Conv"]
    assert [n.attrs["group"] for n in convs] == [13, 12, 12]
    assert [n.inputs[1].shape for n in convs] == [(13, 1, 3, 3), (12, 1, 3, 3), (12, 1, 3, 3)]


@pytest.mark.parametrize(
    ("inputs", "outputs", "group", "ops"),
    [
        (6, 12, 1, ["ConvTranspose", "ConvTranspose", "Concat"]),
        (12, 6, 1, ["Split", "ConvTranspose", "ConvTranspose", "Add"]),
        (12, 8, 2, ["Split", "ConvTranspose", "ConvTranspose", "Concat"]),
    ],
)
def test_convtranspose(march: dict[str, str], inputs: int, outputs: int, group: int, ops: list[str]) -> None:
    text = f"""g (float[1,{inputs},4,4] x) => (float[1,{outputs},10,10] y) {{
        y = ConvTranspose <group = {group}, strides = [2, 2], output_padding = [1, 1]> (x, w, b)
    }}"""
    applied = apply_pass(seeded(text, w=(inputs, outputs // group, 3, 3), b=(outputs,)), SPLIT, march["wide"])
    assert applied.ops == ops
    assert all(n.attrs["output_padding"] == [1, 1] for n in applied.model.nodes() if n.op == "ConvTranspose")
    assert legal(applied, march["wide"])


@pytest.mark.parametrize("bias", [(), (1,), (14,), (1, 14), (3, 1), (3, 14), None])
@pytest.mark.parametrize("trans", [0, 1])
def test_gemm(march: dict[str, str], trans: int, bias: tuple[int, ...] | None) -> None:
    x = "12,3" if trans else "3,12"
    text = f"""g (float[{x}] x) => (float[3,14] y) {{
        y = Gemm <transA = {trans}, transB = {trans}, alpha = 0.5, beta = 2.0> (x, w{"" if bias is None else ", b"})
    }}"""
    shapes = {"w": (14, 12) if trans else (12, 14), **({} if bias is None else {"b": bias})}
    applied = apply_pass(seeded(text, **shapes), SPLIT, march["wide"])
    assert applied.ops == ["Split", *["Gemm", "Gemm", "Add"] * 2, "Concat"]
    assert legal(applied, march["wide"])


def test_gemm_that_must_have_a_bias(march: dict[str, str]) -> None:
    text = "g (float[3,12] x) => (float[3,4] y) { y = Gemm (x, w, b) }"
    applied = apply_pass(seeded(text, opset=9, w=(12, 4), b=(4,)), SPLIT, march["wide"])
    assert [n.inputs[2].shape for n in applied.model.nodes() if n.op == "Gemm"] == [(4,), (4,)]


@pytest.mark.parametrize("flat", ["Flatten (x)", "Reshape (x, s)"])
@pytest.mark.parametrize("bias", [(), (1,), (4,), (1, 4), None])
@pytest.mark.parametrize("trans", [0, 1])
def test_gemm_on_a_map_becomes_a_convolution(
    march: dict[str, str], flat: str, bias: tuple[int, ...] | None, trans: int
) -> None:
    text = f"""g (float[2,20,2,2] x) => (float[2,4] y) <int64[2] s = {{2, -1}}> {{
        f = {flat}
        y = Gemm <transB = {trans}, alpha = 0.5, beta = 3.0> (f, w{"" if bias is None else ", b"})
    }}"""
    shapes = {"w": (4, 80) if trans else (80, 4), **({} if bias is None else {"b": bias})}
    applied = apply_pass(seeded(text, **shapes), SPLIT, march["wide"])
    assert applied.ops == ["Split", "Conv", "Conv", "Conv", "Add", "Add", "Flatten"]
    assert [n.inputs[1].shape for n in applied.model.nodes() if n.op == "Conv"] == [(4, 7, 2, 2)] * 2 + [(4, 6, 2, 2)]
    assert legal(applied, march["wide"])


def test_a_flatten_that_others_read_stays(march: dict[str, str]) -> None:
    text = """g (float[1,5,2,2] x) => (float[1,4] y, float[1,20] f) {
        f = Flatten (x)
        y = Gemm (f, w)
    }"""
    assert apply_pass(seeded(text, w=(20, 4)), SPLIT, march["wide"]).ops == ["Flatten", "Conv", "Flatten"]


CONVOLVE_REFUSALS = {
    "the input must be a feature map of rank 4 with all but axis 0 merged": (
        "g (float[2,5,4] x) => (float[2,4] y) { f = Flatten (x) y = Gemm (f, w) }", {"w": (20, 4)}),
    "the bias 'b' must be constant and the same for every row": (
        "g (float[2,5,2,2] x) => (float[2,4] y) { f = Flatten (x) y = Gemm (f, w, b) }", {"w": (20, 4), "b": (2, 1)}),
    "input 0 comes from a graph input, it must come from Flatten or Reshape": (
        "g (float[2,20] x) => (float[2,4] y) { y = Gemm (x, w) }", {"w": (20, 4)}),
    "makes Conv, which is not legal either (Conv.kernel_h 9)": (
        "g (float[2,1,9,1] x) => (float[2,4] y) { f = Flatten (x) y = Gemm (f, w) }", {"w": (9, 4)}),
}  # fmt: skip


@pytest.mark.parametrize("reason", CONVOLVE_REFUSALS)
def test_gemm_that_stays_a_gemm(march: dict[str, str], reason: str) -> None:
    text, weights = CONVOLVE_REFUSALS[reason]
    applied = apply_pass(seeded(text, **weights), SPLIT, march["wide"])
    assert reason in applied.reasons
    assert "Conv" not in applied.ops
    assert legal(applied, march["wide"])


@pytest.mark.parametrize(
    ("x", "w", "y", "ops"),
    [
        ((2, 3, 12), (12, 14), (2, 3, 14), ["Split", *["MatMul", "MatMul", "Add"] * 2, "Concat"]),
        ((2, 3, 4), (2, 4, 14), (2, 3, 14), ["MatMul", "MatMul", "Concat"]),
        ((3, 12), (12,), (3,), ["Split", "MatMul", "MatMul", "Add"]),
        ((12,), (12, 4), (4,), ["Split", "MatMul", "MatMul", "Add"]),
    ],
)
def test_matmul(
    march: dict[str, str], x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], ops: list[str]
) -> None:
    text = f"g (float{list(x)} x) => (float{list(y)} y) {{ y = MatMul (x, w) }}"
    assert apply_pass(seeded(text, w=w), SPLIT, march["wide"]).ops == ops


def test_slices_where_there_is_no_split(march: dict[str, str]) -> None:
    applied = apply_pass(conv(12, 4), SPLIT, march["bare"])
    assert applied.ops == ["Slice", "Slice", "Conv", "Conv", "Add"]


def test_parts_are_cut_further_for_the_sum(march: dict[str, str]) -> None:
    applied = apply_pass(conv(12, 8), SPLIT, march["bare"])
    assert [n.inputs[1].shape[:2] for n in applied.model.nodes() if n.op == "Conv"] == [(4, 6)] * 4


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 22])
def test_opsets(march: dict[str, str], opset: int) -> None:
    text = "g (float[1,12,4,4] x) => (float[1,14,4,4] y) { y = Conv (x, w) }"
    for name in ("wide", "bare"):
        applied = apply_pass(seeded(text, opset=opset, w=(14, 12, 1, 1)), SPLIT, march[name])
        assert applied.result.status is Status.APPLIED


def test_shared_weight_and_unnamed_nodes(march: dict[str, str]) -> None:
    text = """g (float[1,4,4,4] a, float[1,4,4,4] b) => (float[1,14,4,4] y, float[14,4,1,1] w) {
        c = Conv (a, w)
        d = Conv (b, w)
        y = Add (c, d)
    }"""
    applied = apply_pass(seeded(text, w=(14, 4, 1, 1)), SPLIT, march["wide"])
    assert applied.ops.count("Conv") == 4


def test_dynamic_batch_and_sizes(march: dict[str, str]) -> None:
    text = "g (float[N,12,H,W] x) => (float[N,14,H,W] y) { y = Conv (x, w) }"
    model = seeded(text, w=(14, 12, 1, 1))
    inputs = {"x": np.random.default_rng(0).standard_normal((2, 12, 3, 5)).astype(np.float32)}
    assert apply_pass(model, SPLIT, march["wide"], inputs=inputs).ops.count("Conv") == 4


def test_an_output_that_is_read_on(march: dict[str, str]) -> None:
    text = """g (float[1,4,4,4] x) => (float[1,14,4,4] y, float[1,14,4,4] z) {
        y = Conv (x, w)
        z = Relu (y)
    }"""
    assert apply_pass(seeded(text, w=(14, 4, 1, 1)), SPLIT, march["wide"]).ops == ["Conv", "Conv", "Concat", "Relu"]


def test_half_precision(march: dict[str, str]) -> None:
    text = "g (float16[1,12,4,4] x) => (float16[1,4,4,4] y) { y = Conv (x, w) }"
    applied = apply_pass(seeded(text, dtype="float16", w=(4, 12, 1, 1)), SPLIT, march["wide"])
    assert applied.ops == ["Split", "Conv", "Conv", "Add"]


def test_bodies_are_left(march: dict[str, str]) -> None:
    text = """g (bool c, float[1,4,4,4] x) => (float[1,14,4,4] y) {
        y = If (c) <
            then_branch = t () => (float[1,14,4,4] p) { p = Conv (x, w) },
            else_branch = e () => (float[1,14,4,4] q) { q = Conv (x, v) }
        >
    }"""
    applied = apply_pass(seeded(text, w=(14, 4, 1, 1), v=(14, 4, 1, 1)), SPLIT, march["wide"])
    assert applied.result.status is Status.UNCHANGED
    assert "inside a body, which runs on the CPU as a whole" in applied.reasons


def test_neighbours_of_other_domains(march: dict[str, str]) -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[1,4,4,4] x) => (float[1,14,4,4] y) {
        y = Conv (x, w)
        z = own.Thing (y)
    }"""
    applied = apply_pass(seeded(text, w=(14, 4, 1, 1)), SPLIT, march["wide"], verify=False)
    assert applied.ops == ["Conv", "Conv", "Concat", "Thing"]


REFUSALS = {
    "the weight 'w' is computed, only a constant one can be cut": (
        "g (float[1,4,4,4] x, float[14,4,1,1] w) => (float[1,14,4,4] y) { y = Conv (x, w) }", {}, "wide"),
    "the bias is computed, only a constant one can be cut": (
        "g (float[1,4,4,4] x, float[14] b) => (float[1,14,4,4] y) { y = Conv (x, w, b) }",
        {"w": (14, 4, 1, 1)}, "wide"),
    "a part of 1 to 1 channels breaks Conv.stride: 3x3, allowed 1 or 2": (
        "g (float[1,2,9,9] x) => (float[1,4,2,2] y) { y = Conv <strides = [3, 3]> (x, w) }",
        {"w": (4, 2, 7, 6)}, "wide"),
    "it has one channel in and out, nothing can be cut": (
        "g (float[1,1,9,12] x) => (float[1,1,3,1] y) { y = Conv (x, w) }", {"w": (1, 1, 7, 12)}, "wide"),
    "narrow has no Concat of 14 channels, and 'y' is a graph output": (
        "g (float[1,4,4,4] x) => (float[1,14,4,4] y) { y = Conv (x, w) }", {"w": (14, 4, 1, 1)}, "narrow"),
    "narrow has no Concat of 14 channels, and Softmax 'Softmax' cannot work on the parts": (
        "g (float[1,4,4,4] x) => (float[1,14,4,4] y) { c = Conv (x, w) y = Softmax <axis = 1> (c) }",
        {"w": (14, 4, 1, 1)}, "narrow"),
    "narrow has no Concat of 14 channels, and Mul 'Mul' joins the parts with 'm'": (
        "g (float[1,4,4,4] x, float[1,14,4,4] m) => (float[1,14,4,4] y) { c = Conv (x, w) y = Mul (c, m) }",
        {"w": (14, 4, 1, 1)}, "narrow"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals(march: dict[str, str], reason: str) -> None:
    text, weights, name = REFUSALS[reason]
    applied = apply_pass(seeded(text, **weights), SPLIT, march[name])
    assert applied.result.status is Status.REFUSED
    assert reason in applied.reasons


def test_nothing_without_a_march() -> None:
    text = "g (float[1,2,2,2] x) => (float[1,2,2,2] y) <float[2,2,1,1] w = {1,2,3,4}> { y = Conv (x, w) }"
    assert apply_pass(model_of(text), SPLIT).result.status is Status.UNCHANGED


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    group=st.integers(1, 4),
    inputs=st.integers(1, 19),
    outputs=st.integers(1, 19),
    kernel=st.sampled_from([1, 2, 3]),
    bias=st.booleans(),
    name=st.sampled_from(["wide", "bare"]),
)
def test_any_convolution(
    march: dict[str, str], group: int, inputs: int, outputs: int, kernel: int, bias: bool, name: str
) -> None:
    text = f"""g (float[1,{inputs * group},6,5] x) => (float[1,{outputs * group},A,B] y) {{
        y = Conv <group = {group}, auto_pad = "SAME_UPPER", strides = [1, 2]> (x, w{", b" if bias else ""})
    }}"""
    w = (outputs * group, inputs, kernel, kernel)
    applied = apply_pass(seeded(text, w=w, **({"b": w[:1]} if bias else {})), SPLIT, march[name])
    assert legal(applied, march[name])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(group=st.integers(1, 3), inputs=st.integers(1, 11), outputs=st.integers(1, 11), kernel=st.integers(1, 3))
def test_any_transposed_convolution(march: dict[str, str], group: int, inputs: int, outputs: int, kernel: int) -> None:
    text = f"""g (float[2,{inputs * group},3,4] x) => (float[2,{outputs * group},A,B] y) {{
        y = ConvTranspose <group = {group}, strides = [2, 2], pads = [0, 0, 0, 0], output_padding = [1, 0]> (x, w, b)
    }}"""
    shapes = {"w": (inputs * group, outputs, kernel, kernel), "b": (outputs * group,)}
    assert legal(apply_pass(seeded(text, **shapes), SPLIT, march["wide"]), march["wide"])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(rows=st.integers(1, 3), inner=st.integers(1, 40), columns=st.integers(1, 40), trans=st.booleans())
def test_any_gemm(march: dict[str, str], rows: int, inner: int, columns: int, trans: bool) -> None:
    text = f"""g (float[{rows},{inner}] x) => (float[{rows},{columns}] y) {{
        y = Gemm <transB = {int(trans)}> (x, w, b)
    }}"""
    w = (columns, inner) if trans else (inner, columns)
    assert legal(apply_pass(seeded(text, w=w, b=(columns,)), SPLIT, march["wide"]), march["wide"])
