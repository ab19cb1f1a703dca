"""lift-quantisation: quantised models in float, their scales kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

import surgery
from passes.quantised import LiftQuantisation
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.result import Status
from tests.support import Applied, apply_pass, proto_of

MAP = "float[1,4,6,6]"
STEP = np.float32(0.05)
LOOSE = {"max_abs": 1e3}


def net(body: str, x: str = MAP, y: str = MAP, **constants: Any) -> Model:
    """The model of ``body`` with scales s (0.05), zero points z (uint8, 0) and m (int8, 0)."""
    header = '<ir_version: 8, opset_import: ["": 13, "com.microsoft": 1]>'
    proto = proto_of(f"{header} g ({x} x) => ({y} y) {{ {body} }}")
    held = {"s": STEP, "z": np.uint8(0), "m": np.int8(0), **constants}
    for name, value in held.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    return Model.load(proto)


def lifted(model: Model, *, verify: bool = True, **options: Any) -> Applied:
    """What the pass makes of it, within a loose budget."""
    return apply_pass(model, LiftQuantisation(**options), budget=LOOSE, verify=verify)


def outputs(model: Model, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The only output for ``x``."""
    [found] = open_session(model).run({"x": x}).values()
    return np.asarray(found)


PAIR = "q = QuantizeLinear (x, s, z)  d = DequantizeLinear (q, s, z)"


def test_what_a_pair_cuts_off_is_still_cut_off() -> None:
    model = net(f"{PAIR}  y = Neg (d)")
    x = np.linspace(-20, 20, 144, dtype=np.float32).reshape(1, 4, 6, 6)
    done = lifted(model)
    assert done.ops == ["Clip", "Neg"]
    assert np.abs(outputs(done.model, x) - outputs(model, x)).max() <= STEP / 2 + 1e-6
    assert lifted(model, saturation="relu").ops == ["Relu", "Neg"]


def test_a_relu_is_not_written_twice() -> None:
    assert lifted(net(f"r = Relu (x)  {PAIR.replace('x,', 'r,')}  y = Neg (d)"), saturation="relu").ops == [
        "Relu",
        "Neg",
    ]
    twice = net("q = QuantizeLinear (x, s, z)  d = DequantizeLinear (q, s, z)  e = DequantizeLinear (q, s, z)"
                "  y = Add (d, e)")  # fmt: skip
    assert lifted(twice, saturation="relu").ops == ["Relu", "Add"]


def test_without_a_budget_nothing_happens() -> None:
    model = net(f"{PAIR}  y = Neg (d)")
    with pytest.raises(surgery.SurgeryError, match="an approximate rewrite needs a budget"):
        surgery.run(model, march="bayes-e", add=["lift-quantisation"])


def test_a_budget_that_is_too_small() -> None:
    model = net(f"{PAIR}  y = Neg (d)")
    done = surgery.run(model, march="bayes-e", pipeline=surgery.Pipeline.of("lift-quantisation"),
                       budget={"max_abs": 1e-5})  # fmt: skip
    assert done.report.passes[0].status == "rolled-back"
    assert done.report.scales == ()


REFUSED = {
    "another scale": ("q = QuantizeLinear (x, s, z)  y = DequantizeLinear (q, t, z)", "its scale differs from that of"),
    "a computed scale": (
        "t = ReduceMax <keepdims = 0> (x)  q = QuantizeLinear (x, t, z)  y = DequantizeLinear (q, t, z)",
        "must be constant",
    ),
    "per channel": (
        "q = QuantizeLinear <axis = 1> (x, c, n)  y = DequantizeLinear <axis = 1> (q, c, n)",
        "has a scale per channel, it must have one",
    ),
    "moved as it is": (
        f"{PAIR.replace('(q,', '(r,')}  r = Reshape (q, f)  e = Cast <to = 1> (r)  g = Add (d, e)  y = Reshape (g, k)",
        "in its quantised form",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    body, reason = REFUSED[case]
    four = {"c": np.full(4, 0.1, np.float32), "n": np.zeros(4, np.uint8), "t": np.float32(0.07)}
    shapes = {"f": np.array([4, 36]), "k": np.array([1, 4, 6, 6])}
    given_: dict[str, Any] = {name: value for name, value in {**four, **shapes}.items() if f", {name}" in body}
    if case == "a computed scale":
        given_.pop("t", None)
    done = lifted(net(body, MAP, MAP, **given_), verify=False)
    assert any(reason in said for said in done.reasons), done.reasons
    assert done.result.status is not Status.APPLIED


QLINEAR = {
    "QLinearConv": ("c = QLinearConv (q, s, z, w, a, m, s, z, b)", "Conv", "float[1,3,6,6]"),
    "QLinearAdd": ("c = com.microsoft.QLinearAdd (q, s, z, q, s, z, s, z)", "Add", "float[1,4,6,6]"),
    "QLinearMul": ("c = com.microsoft.QLinearMul (q, s, z, q, s, z, s, z)", "Mul", "float[1,4,6,6]"),
    "QLinearSigmoid": ("c = com.microsoft.QLinearSigmoid (q, s, z, s, z)", "Sigmoid", "float[1,4,6,6]"),
    "QLinearLeakyRelu": (
        "c = com.microsoft.QLinearLeakyRelu <alpha = 0.1> (q, s, z, s, z)", "LeakyRelu", "float[1,4,6,6]"
    ),
    "QLinearGlobalAveragePool": (
        "c = com.microsoft.QLinearGlobalAveragePool <channels_last = 0> (q, s, z, s, z)",
        "GlobalAveragePool",
        "float[1,4,1,1]",
    ),
    "QLinearMatMul": ("c = QLinearMatMul (q, s, z, v, s, m, s, z)", "MatMul", "float[1,4,6,5]"),
    "QGemm": (
        "f = Flatten (q)  c = com.microsoft.QGemm <transB = 1, alpha = 1.0> (f, s, z, g, s, m, h, s, z)", "Gemm",
        "float[1,7]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", QLINEAR)
def test_operators_on_quantised_values(case: str) -> None:
    """The float model stays within a few steps of onnxruntime's integer kernels."""
    body, op, y = QLINEAR[case]
    rng = np.random.default_rng(1)
    weights = {
        "w": rng.integers(-9, 9, (3, 4, 1, 1)).astype(np.int8),
        "a": np.array([0.02, 0.05, 0.1], np.float32),
        "b": rng.integers(-50, 50, 3).astype(np.int32),
        "v": rng.integers(-9, 9, (6, 5)).astype(np.int8),
        "g": rng.integers(-3, 3, (7, 144)).astype(np.int8),
        "h": rng.integers(-50, 50, 7).astype(np.int32),
    }
    held: dict[str, Any] = {name: value for name, value in weights.items() if f", {name}" in body}
    if case == "QLinearConv":
        held["m"] = np.zeros(3, np.int8)
    model = net(f"q = QuantizeLinear (x, s, z)  {body}  y = DequantizeLinear (c, s, z)", MAP, y, **held)
    done = lifted(model)
    assert op in done.ops
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(done.ops)
    x = rng.uniform(0, 2, (1, 4, 6, 6)).astype(np.float32)
    assert np.abs(outputs(done.model, x) - outputs(model, x)).max() <= 2.5 * STEP


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.floats(0.001, 10), st.integers(-128, 127), st.booleans())
def test_a_pair_is_within_half_a_step(scale: float, zero: int, per_channel: bool) -> None:
    """Whatever the step and the zero point, also of weights that have a step per channel."""
    rng = np.random.default_rng(abs(zero))
    text = "q = QuantizeLinear (x, s, m)  d = DequantizeLinear (q, s, m)  e = DequantizeLinear <axis = 1> (w, t, n)"
    t = np.float32(rng.uniform(0.01, 0.1, 4)) if per_channel else np.float32(0.03)
    model = net(f"{text}  y = Add (d, e)", s=np.float32(scale), m=np.int8(zero), t=t,
                n=np.zeros(t.shape, np.int8), w=rng.integers(-128, 127, (1, 4, 1, 1)).astype(np.int8))  # fmt: skip
    done = lifted(model)
    assert done.ops == ["Clip", "Add"]
    x = rng.uniform(-200, 200, (1, 4, 6, 6)).astype(np.float32) * np.float32(scale)
    assert np.abs(outputs(done.model, x) - outputs(model, x)).max() <= 0.5 * scale * 1.001 + 1e-4 * scale * 200


def test_the_scales_are_kept(tmp_path: Path) -> None:
    model = net(f"{PAIR}  e = DequantizeLinear <axis = 1> (w, c, n)  y = Conv (d, e)", w=np.ones((4, 4, 1, 1), np.int8),
                c=np.full(4, 0.5, np.float32), n=np.zeros(4, np.int8))  # fmt: skip
    done = surgery.run(model, march="bayes-e", pipeline=surgery.Pipeline.of("lift-quantisation"), budget=LOOSE)
    done.save(tmp_path / "out.onnx")
    beside = json.loads((tmp_path / "out.scales.json").read_text())
    assert beside["kind"] == "surgery.scales/1"
    assert [(row["tensor"], row["dtype"], row["axis"]) for row in beside["scales"]] == [
        ("x", "uint8", None),
        ("w", "int8", 1),
    ]
    assert beside["scales"][0]["scales"] == [pytest.approx(0.05)]
    assert [scale.model_dump() for scale in done.report.scales] == [
        {**row, "scales": tuple(row["scales"]), "zero_points": tuple(row["zero_points"])} for row in beside["scales"]
    ]


def test_a_float_model_has_no_scales(tmp_path: Path) -> None:
    done = surgery.run(net("y = Neg (x)"), march="bayes-e")
    done.save(tmp_path / "out.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]


SENTENCES: dict[str, tuple[str, dict[str, Any], str]] = {
    "channels last": (
        (
            "q = QuantizeLinear (x, s, z)"
            "  c = com.microsoft.QLinearGlobalAveragePool <channels_last = 1> (q, s, z, s, z)"
            "  y = DequantizeLinear (c, s, z)"
        ),
        {},
        "has the channels last",
    ),
    "values with a scale per channel": (
        (
            "q = QuantizeLinear <axis = 1> (x, c, n)  p = com.microsoft.QLinearSigmoid (q, c, n, s, z)"
            "  y = DequantizeLinear (p, s, z)"
        ),
        {"c": np.full(4, 0.1, np.float32), "n": np.zeros(4, np.uint8)},
        "has a scale per channel, it must have one",
    ),
    "a result with a scale per channel": (
        (
            "q = QuantizeLinear (x, s, z)  p = com.microsoft.QLinearSigmoid (q, s, z, c, n)"
            "  y = DequantizeLinear <axis = 1> (p, c, n)"
        ),
        {"c": np.full(4, 0.1, np.float32), "n": np.zeros(4, np.uint8)},
        "the result has a scale per channel",
    ),
    "a cast between quantised types": (
        "q = QuantizeLinear (x, s, m)  i = Cast <to = 2> (q)  y = DequantizeLinear (i, s, z)",
        {},
        "input 0 comes from Cast",
    ),
    "a first operand with a scale per row": (
        "q = QuantizeLinear (x, s, z)  p = QLinearMatMul (w, r, o, q, s, z, s, z)  y = DequantizeLinear (p, s, z)",
        {"w": np.ones((6, 6), np.uint8), "r": np.full(6, 0.1, np.float32), "o": np.zeros(6, np.uint8)},
        "has a scale per channel, it must have one",
    ),
    "scales along no axis": (
        "d = DequantizeLinear (v, c, n)  y = Add (x, d)",
        {"v": np.zeros(6, np.int8), "c": np.full(6, 0.1, np.float32), "n": np.zeros(6, np.int8)},
        "has 6 scales along axis 1 of (6,)",
    ),
    "floats of eight bits": (
        "d = DequantizeLinear (v, s)  y = Add (x, d)",
        {"v": np.zeros(6, ml_dtypes.float8_e4m3fn)},
        "its kind must be one of 'iu'",
    ),
    "a constant that is moved": (
        "w = Reshape (v, k)  d = DequantizeLinear (w, s, z)  y = Add (x, d)",
        {"v": np.zeros(6, np.uint8), "k": np.array([1, 1, 1, 6])},
        "moves a constant",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentences(case: str) -> None:
    body, constants, reason = SENTENCES[case]
    done = lifted(net(body, MAP, "float[1,4,H,W]", **constants), verify=False)
    assert any(reason in said for said in done.reasons), done.reasons
