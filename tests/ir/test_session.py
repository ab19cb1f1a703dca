"""Sessions: bits, taps, types that numpy lacks, and what onnxruntime refuses."""

from __future__ import annotations

import weakref
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest

from surgery.errors import WeightsMissing
from surgery.ir import Model
from surgery.ir.session import Session, SessionError, open_file, open_session, retarget
from tests.support import model_of, proto_of

CHAIN = "g (float[1,4] x) => (float[1,4] y) { a = Relu(x)  b = Neg(a)  y = Abs(b)  c = Exp(b) }"
X = np.array([[-1, 0, 2, 3]], np.float32)


def heavy_model() -> Model:
    """``y = x @ w`` with a weight that stays outside the proto and a bias that does not."""
    rng = np.random.default_rng(0)
    proto = proto_of("g (float[1,32] x) => (float[1,32] y) { a = MatMul(x, w)  y = Add(a, bias) }")
    proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal((32, 32)).astype(np.float32), "w"))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(32, np.float32), "bias"))
    return Model.load(proto)


def test_a_heavy_weight_reaches_the_session_beside_the_proto() -> None:
    model = heavy_model()
    assert list(model.heavy()) == ["w"]
    x = np.ones((1, 32), np.float32)
    expected = x @ model.heavy()["w"].values + 1
    np.testing.assert_allclose(open_session(model).run({"x": x})["y"], expected, rtol=1e-5)


def test_perturb_stands_for_heavy_and_light_weights() -> None:
    session = open_session(heavy_model(), perturb=lambda name, array: array * 0 if name == "w" else array + 1)
    assert (session.run({"x": np.ones((1, 32), np.float32)})["y"] == 2).all()


def test_inner_values_come_back_and_what_they_do_not_need_is_left_out() -> None:
    session = open_session(model_of(CHAIN), outputs=["b", "a"])
    values = session.run({"x": X})
    assert list(values) == ["b", "a"]
    np.testing.assert_array_equal(values["b"], [[-0.0, 0, -2, -3]])


def test_retarget_keeps_what_a_body_reads_from_outside() -> None:
    text = """g (float[1] x, bool c) => (float[1] y) {
        outer = Relu(x)  unused = Exp(x)
        y = If(c) <then_branch = t () => (float[1] p) { p = Neg(outer) },
                   else_branch = e () => (float[1] q) { q = Abs(outer) }>
    }"""
    graph = proto_of(text).graph
    retarget(graph, ["y"])
    assert [n.op_type for n in graph.node] == ["Relu", "If"]


def test_inputs_are_described() -> None:
    session = open_session(model_of("g (float16[N,4] x, bool c) => (float16[N,4] y) { y = Identity(x)  z = Not(c) }"))
    assert session.inputs["x"] == (np.dtype(np.float16), ("N", 4))
    assert session.output_names == ("y",)


def test_bfloat16_goes_in_and_out() -> None:
    model = model_of("g (bfloat16[4] x) => (bfloat16[4] y, float[4] z) { y = Identity(x)  z = Cast<to: int = 1>(x) }")
    x = np.arange(4).astype(ml_dtypes.bfloat16)
    values = open_session(model).run({"x": x})
    assert values["y"].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(values["y"].astype(np.float32), values["z"])


def test_a_heavy_int4_weight_is_packed_for_onnxruntime() -> None:
    stored = np.random.default_rng(0).integers(-8, 8, (64, 64)).astype(ml_dtypes.int4)
    proto = proto_of("g (float s) => (float[64,64] y) { y = DequantizeLinear(w, s) }", opset=21, ir_version=10)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(stored, "w"))
    model = Model.load(proto)
    assert "w" in model.heavy()
    np.testing.assert_array_equal(
        open_session(model).run({"s": np.array(1, np.float32)})["y"], stored.astype(np.float32)
    )


def test_a_sequence_comes_back_item_by_item() -> None:
    proto = proto_of("g (float[1,4] x) => (float[1,4] y) { s = SequenceConstruct(x, x)  y = Relu(x) }")
    retarget(proto.graph, ["s"])
    session = Session(proto.SerializeToString(), {}, "m")
    assert list(session.run({"x": X})) == ["s[0]", "s[1]"]


def test_a_missing_input_is_named() -> None:
    with pytest.raises(SessionError, match=r"no values for input x \(given: X\)"):
        open_session(model_of(CHAIN)).run({"X": X})


def test_a_wrong_shape_says_what_was_expected_in_one_line() -> None:
    with pytest.raises(SessionError, match="Got: 5 Expected: 4") as caught:
        open_session(model_of(CHAIN)).run({"x": np.zeros((1, 5), np.float32)})
    assert "\n" not in caught.value.what
    assert "ONNXRuntimeError" not in caught.value.what


@pytest.mark.parametrize(
    ("call", "name"), [("my.Foo(x)", "my:Foo"), ("com.microsoft.Foo(x)", "com.microsoft:Foo"), ("Foo(x)", "Foo")]
)
def test_an_operator_without_a_kernel_is_told_from_other_reasons(call: str, name: str) -> None:
    header = '<ir_version: 8, opset_import: ["": 17, "my": 1, "com.microsoft": 1]>'
    proto = proto_of(f"{header} g (float[1,4] x) => (float[1,4] y) {{ y = {call} }}")
    with pytest.raises(SessionError) as caught:
        Session(proto.SerializeToString(), {}, "m")
    assert caught.value.unsupported == name


def test_another_reason_names_no_operator() -> None:
    with pytest.raises(SessionError) as caught:
        Session(b"not a model", {}, "m")
    assert caught.value.unsupported is None


def test_absent_weights_are_no_session_error(tmp_path: Path) -> None:
    proto = heavy_model().to_proto("inline")
    onnx.save_model(proto, tmp_path / "m.onnx", save_as_external_data=True, location="gone", size_threshold=0)
    (tmp_path / "gone").unlink()
    with pytest.raises(WeightsMissing, match="absent"):
        open_session(Model.load(tmp_path / "m.onnx"))


def test_a_file_runs_as_it_is(tmp_path: Path) -> None:
    onnx.save_model(proto_of(CHAIN), tmp_path / "m.onnx")
    np.testing.assert_array_equal(open_file(tmp_path / "m.onnx").run({"x": X})["y"], [[0, 0, 2, 3]])


def test_memory_goes_with_the_last_reference() -> None:
    session = open_session(heavy_model())
    inner = weakref.ref(session._ort)
    del session
    assert inner() is None


def test_onnxruntime_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    model = model_of("g (float[1,4] x, int64[2] s) => (float[N,M] y) { y = Reshape(x, s) }")
    with pytest.raises(SessionError):
        open_session(model).run({"x": X, "s": np.array([3, 3])})
    assert capfd.readouterr() == ("", "")
