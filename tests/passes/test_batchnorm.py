"""fuse-batchnorm: the same numbers from fewer nodes, for every operator it folds into."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from passes.linear import FuseBatchNorm
from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.matrix import VARIANTS, model_in, runs
from tests.support import Applied, apply_pass, model_of, proto_of


def norm(channels: int) -> str:
    """Declarations of the four parameters s, c, m, v."""
    kinds = ("s", "c", "m", "v")
    return ", ".join(f"float[{channels}] {k} = {{{', '.join(_number(k, i) for i in range(channels))}}}" for k in kinds)


def _number(kind: str, index: int) -> str:
    return f"{ {'s': 0.5, 'c': -0.25, 'm': 0.125, 'v': 0.75}[kind] + 0.2 * (index % 5):.3f}"


def tensor(name: str, *dims: int) -> str:
    numbers = np.sin(np.arange(np.prod(dims)) * 1.7)
    return f"float{list(dims)} {name} = {{{', '.join(f'{v:.4f}' for v in numbers)}}}"


def fuse(text: str | Model, **options: Any) -> Applied:
    return apply_pass(text, FuseBatchNorm(), **options)


def conv(attrs: str, weight: str, channels: int, *, inputs: str = "float[1,4,5,5] x", bias: str = "") -> str:
    held = ", ".join(part for part in (weight, bias, norm(channels)) if part)
    operands = "x, w, b" if bias else "x, w"
    return f"""g ({inputs}) => (float y) <{held}> {{
        a = Conv {attrs} ({operands})  n = BatchNormalization <epsilon = 0.001> (a, s, c, m, v)
        y = ReduceMean <keepdims = 0> (n) }}"""


CONVS = {
    "plain": conv("<pads = [1,1,1,1]>", tensor("w", 6, 4, 3, 3), 6),
    "with a bias": conv("", tensor("w", 6, 4, 3, 3), 6, bias=tensor("b", 6)),
    "grouped": conv("<group = 2>", tensor("w", 6, 2, 3, 3), 6, bias=tensor("b", 6)),
    "depthwise": conv("<group = 4, strides = [2,2]>", tensor("w", 4, 1, 3, 3), 4),
    "one spatial axis": conv("", tensor("w", 6, 4, 3), 6, inputs="float[1,4,9] x"),
    "three spatial axes": conv("", tensor("w", 6, 4, 2, 2, 2), 6, inputs="float[1,4,3,3,3] x"),
    "automatic pads": conv('<auto_pad = "SAME_UPPER">', tensor("w", 6, 4, 3, 3), 6),
}


@pytest.mark.parametrize("case", CONVS)
def test_conv(case: str) -> None:
    applied = fuse(CONVS[case])
    assert applied.ops == ["Conv", "ReduceMean"]
    assert applied.result.applied == 1
    assert applied.result.exactness == "rounding"
    assert applied.result.drift_total is not None


def test_weights_are_computed_in_float64() -> None:
    """Closer to the true product than float32 arithmetic would come."""
    model = model_of(CONVS["plain"])
    factor, node = _factor(model), model.graph.nodes[0]
    fused = fuse(model).model.graph.nodes[0]
    wanted = node.inputs[1].values.astype(np.float64) * factor.reshape(-1, 1, 1, 1)
    assert (fused.inputs[1].values == wanted.astype(np.float32)).all()


def _factor(model: Model) -> Any:
    scale, variance = (model.graph.nodes[1].inputs[i].values.astype(np.float64) for i in (1, 4))
    return scale / np.sqrt(variance + float(model.graph.nodes[1].attrs["epsilon"]))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_convtranspose(groups: int, bias: bool) -> None:
    held = ", ".join([tensor("w", 4, 3, 3, 3), *([tensor("b", 3 * groups)] if bias else []), norm(3 * groups)])
    applied = fuse(f"""g (float[1,4,5,5] x) => (float[1,?,?,?] y) <{held}> {{
        a = ConvTranspose <group = {groups}, strides = [2,2], output_padding = [1,1]> (x, w{", b" if bias else ""})
        y = BatchNormalization (a, s, c, m, v) }}""")
    assert applied.ops == ["ConvTranspose"]


@pytest.mark.parametrize(
    "attrs", ["", "<transB = 1>", "<alpha = 0.5, beta = 2.0>", "<transA = 1, transB = 1, beta = 0.5>"]
)
@pytest.mark.parametrize("bias", ["6", "1,6", "1", ""])
def test_gemm(attrs: str, bias: str) -> None:
    weight = tensor("w", 6, 4) if "transB" in attrs else tensor("w", 4, 6)
    dims = [int(d) for d in bias.split(",") if d]
    held = ", ".join([weight, *([tensor("b", *dims)] if dims else []), norm(6)])
    inputs = "float[4,2] x" if "transA" in attrs else "float[2,4] x"
    applied = fuse(f"""g ({inputs}) => (float[2,6] y) <{held}> {{
        a = Gemm {attrs} (x, w{", b" if dims else ""})  y = BatchNormalization (a, s, c, m, v) }}""")
    assert applied.ops == ["Gemm"]


def before_conv(attrs: str, weight: str, bias: str = "") -> str:
    held = ", ".join(part for part in (weight, bias, norm(4)) if part)
    return f"""g (float[1,4,5,5] x) => (float[1,?,?,?] y) <{held}> {{
        r = Relu (x)  a = BatchNormalization (r, s, c, m, v)  y = Conv {attrs} (a, w{", b" if bias else ""}) }}"""


@pytest.mark.parametrize(
    "text",
    [
        before_conv("", tensor("w", 6, 4, 3, 3)),
        before_conv("<group = 2>", tensor("w", 6, 2, 3, 3), tensor("b", 6)),
        before_conv('<group = 4, auto_pad = "VALID">', tensor("w", 8, 1, 3, 3), tensor("b", 8)),
    ],
)
def test_before_conv(text: str) -> None:
    assert fuse(text).ops == ["Relu", "Conv"]


@pytest.mark.parametrize("attrs", ["", "<transB = 1>", "<transB = 1, alpha = 0.5, beta = 2.0>"])
def test_before_gemm(attrs: str) -> None:
    weight = tensor("w", 6, 4) if attrs else tensor("w", 4, 6)
    applied = fuse(f"""g (float[2,4] x) => (float[2,6] y) <{weight}, {tensor("b", 6)}, {norm(4)}> {{
        a = BatchNormalization (x, s, c, m, v)  y = Gemm {attrs} (a, w, b) }}""")
    assert applied.ops == ["Gemm"]


def test_before_padded_conv_is_refused() -> None:
    applied = fuse(before_conv("<pads = [1,1,1,1]>", tensor("w", 6, 4, 3, 3)))
    assert applied.ops == ["Relu", "BatchNormalization", "Conv"]
    assert "'Conv' pads by [1, 1, 1, 1], every pad must be 0" in applied.reasons


def test_the_operator_before_is_preferred() -> None:
    """Conv, BatchNormalization, Conv: the first one takes it."""
    text = f"""g (float[1,4,5,5] x) => (float[1,?,?,?] y)
        <{tensor("w", 4, 4, 1, 1)}, {tensor("u", 2, 4, 1, 1)}, {norm(4)}> {{
        a = Conv (x, w)  n = BatchNormalization (a, s, c, m, v)  y = Conv (n, u) }}"""
    applied = fuse(text)
    assert [len(n.inputs) for n in applied.model.nodes()] == [3, 2]


def test_a_shared_weight_gets_a_copy() -> None:
    text = f"""g (float[1,4,5,5] x, float[1,4,5,5] z) => (float[1,?,?,?] y, float[1,?,?,?] u)
        <{tensor("w", 4, 4, 1, 1)}, {norm(4)}> {{
        a = Conv (x, w)  y = BatchNormalization (a, s, c, m, v)  b = Conv (z, w)  u = Relu (b) }}"""
    applied = fuse(text)
    first, second = (n for n in applied.model.nodes() if n.op == "Conv")
    assert first.inputs[1] is not second.inputs[1]
    assert sorted(t.inputs[1].name for t in (first, second)) == ["w", "w_1"]


def test_the_name_of_the_convolution_is_kept() -> None:
    proto = proto_of(CONVS["plain"])
    proto.graph.node[0].name = "backbone.0"
    applied = fuse(Model.load(proto))
    assert applied.model.graph.nodes[0].name == "backbone.0"
    assert "fuse-batchnorm/fuse-into-previous" in applied.model.graph.nodes[0].metadata["surgery.origin"]


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_dtype_is_kept(kind: Any) -> None:
    model = Model.load(_typed(proto_of(CONVS["with a bias"]), kind))
    applied = fuse(model)
    assert {t.dtype for t in applied.model.graph.nodes[0].inputs[1:]} == {np.dtype(kind)}


def _typed(proto: onnx.ModelProto, kind: Any) -> onnx.ModelProto:
    elem = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    for info in (*proto.graph.input, *proto.graph.output):
        info.type.tensor_type.elem_type = elem
    for weight in proto.graph.initializer:
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(kind), weight.name))
    return proto


def test_overflow_of_float16_is_refused() -> None:
    proto = _typed(proto_of(CONVS["plain"]), np.float16)
    scale = next(t for t in proto.graph.initializer if t.name == "s")
    scale.CopyFrom(numpy_helper.from_array(np.full(6, 65504, np.float16), "s"))
    variance = next(t for t in proto.graph.initializer if t.name == "v")
    variance.CopyFrom(numpy_helper.from_array(np.zeros(6, np.float16), "v"))
    assert "the fused weights are beyond the range of float16" in fuse(Model.load(proto), verify=False).reasons


PLAIN = f"<{tensor('w', 6, 4, 3, 3)}, {norm(6)}>"
REFUSALS = {
    "'a' is also read by 'Relu', one reader must be the only one": (
        "a = Conv (x, w)  n = BatchNormalization (a, s, c, m, v)  r = Relu (a)  y = Add (n, r)",
    ),
    "input 0 comes from Relu, it must come from Conv or ConvTranspose or Gemm": (
        "a = Conv (x, w)  r = Relu (a)  y = BatchNormalization (r, s, c, m, v)",
    ),
    "input 1 ('u') must be constant": (
        "u = Sin (w)  a = Conv (x, u)  y = BatchNormalization (a, s, c, m, v)",
    ),
    "input 4 ('p') must be constant": (
        "a = Conv (x, w)  p = Exp (v)  y = BatchNormalization (a, s, c, m, p)",
    ),
    "'y' is a graph output, it must be read by Conv or Gemm alone": (
        "a = Relu (x)  b = Conv (a, w)  r = Relu (b)  y = BatchNormalization (r, s, c, m, v)",
    ),
    "'n' is read by Relu, it must be read by one Conv or Gemm": (
        "a = Conv (x, w)  r = Relu (a)  n = BatchNormalization (r, s, c, m, v)  y = Relu (n)",
    ),
    "variance + epsilon must be positive": (
        "a = Conv (x, w)  y = BatchNormalization <epsilon = -0.9> (a, s, c, m, v)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals(reason: str) -> None:
    [nodes] = REFUSALS[reason]
    verify = "variance" not in reason
    applied = fuse(f"g (float[1,4,5,5] x) => (float[?,?,?,?] y) {PLAIN} {{ {nodes} }}", verify=verify)
    assert reason in applied.reasons
    assert applied.result.status is Status.REFUSED


GEMM_REFUSALS = {
    "'Gemm' transposes its input": (
        "n = BatchNormalization (x, s, c, m, v)  y = Gemm <transA = 1> (n, w)",
        tensor("w", 4, 4),
    ),
    "'Gemm' reads it as a weight": (
        "n = BatchNormalization (x, s, c, m, v)  y = Gemm (w, n)",
        tensor("w", 4, 4),
    ),
    "the bias of 'Gemm' has the shape (4, 4), it must be one row": (
        "n = Gemm (x, w, b)  y = BatchNormalization (n, s, c, m, v)",
        f"{tensor('w', 4, 4)}, {tensor('b', 4, 4)}",
    ),
}


@pytest.mark.parametrize("reason", GEMM_REFUSALS)
def test_refusals_of_gemm(reason: str) -> None:
    nodes, weights = GEMM_REFUSALS[reason]
    assert reason in fuse(f"g (float[4,4] x) => (float[4,4] y) <{weights}, {norm(4)}> {{ {nodes} }}").reasons


def test_training_mode_is_refused() -> None:
    text = f"""g (float[1,4,5,5] x) => (float[1,6,3,3] y) {PLAIN} {{
        a = Conv (x, w)  y, q, p = BatchNormalization <training_mode = 1> (a, s, c, m, v) }}"""
    assert "training_mode must be 0" in fuse(text).reasons


@pytest.mark.parametrize(
    ("opset", "node", "reason"),
    [
        (6, "y = BatchNormalization (a, s, c, m, v)", "is_test is 0, it must be 1"),
        (
            7,
            "y = BatchNormalization <spatial = 0> (a, s, c, m, v)",
            "spatial is 0, it must be 1: one factor per channel",
        ),
        (9, "y, o, p, q, r = BatchNormalization (a, s, c, m, v)", "computes statistics, too, which is training mode"),
    ],
)
def test_old_training_modes_are_refused(opset: int, node: str, reason: str) -> None:
    text = f"g (float[1,4,5,5] x) => (float[1,6,3,3] y) {PLAIN} {{ a = Conv (x, w)  {node} }}"
    assert reason in fuse(text, opset=opset, verify=False).reasons


@pytest.mark.parametrize(("opset", "attrs"), [(6, "<is_test = 1>"), (7, "<spatial = 1>"), (9, ""), (14, ""), (15, "")])
def test_inference_of_every_opset_is_fused(opset: int, attrs: str) -> None:
    text = f"""g (float[1,4,5,5] x) => (float[1,6,3,3] y) {PLAIN} {{
        a = Conv (x, w)  y = BatchNormalization {attrs} (a, s, c, m, v) }}"""
    assert fuse(text, opset=opset, verify=opset > 6).ops == ["Conv"]


@pytest.mark.parametrize("opset", [11, 13, 17, 23])
def test_every_opset(opset: int) -> None:
    text = CONVS["grouped"].replace("ReduceMean <keepdims = 0>", "Relu").replace("(float y)", "(float[1,6,3,3] y)")
    assert fuse(text, opset=opset).ops == ["Conv", "Relu"]


EVERYWHERE = f"""g (float[2,4,5,5] x) => (float[2,6,5,5] y) <{tensor("w", 6, 4, 3, 3)}, {tensor("b", 6)}, {norm(6)}> {{
    a = Conv <pads = [1,1,1,1]> (x, w, b)  n = BatchNormalization (a, s, c, m, v)  y = Relu (n) }}"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_everywhere(variant: str) -> None:
    applied = fuse(model_in(variant, EVERYWHERE), verify=runs(variant))
    if variant == "tapped":
        assert "'a' is also a graph output" in applied.reasons
    else:
        assert "BatchNormalization" not in applied.ops


def test_a_convolution_outside_of_the_branch_stays() -> None:
    text = f"""<ir_version: 8, opset_import: ["": 17]> g (bool t, float[1,4,5,5] x) => (float[1,6,3,3] y) {PLAIN} {{
        a = Conv (x, w)
        y = If (t) <then_branch = p () => (float[1,6,3,3] q) {{ q = BatchNormalization (a, s, c, m, v) }},
                    else_branch = r () => (float[1,6,3,3] o) {{ o = Conv (x, w) }}> }}"""
    assert "'Conv' is in another graph" in fuse(text).reasons


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from([1, 2, 3]), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans()
)
def test_random_convolutions(groups: int, ins: int, outs: int, kernel: int, before: bool, bias: bool) -> None:
    """Channels per group, kernels and sides at random; numbers are verified by apply_pass."""
    weight, count = tensor("w", outs * groups, ins, kernel, kernel), (ins if before else outs) * groups
    held = ", ".join([weight, norm(count), *([tensor("b", outs * groups)] if bias else [])])
    operands = "w, b" if bias else "w"
    nodes = (
        f"a = BatchNormalization (x, s, c, m, v)  y = Conv <group = {groups}> (a, {operands})"
        if before
        else f"a = Conv <group = {groups}> (x, {operands})  y = BatchNormalization (a, s, c, m, v)"
    )
    assert fuse(f"g (float[2,{ins * groups},4,4] x) => (float[2,?,?,?] y) <{held}> {{ {nodes} }}").ops == ["Conv"]
