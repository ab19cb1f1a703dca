"""The verifier over small models: steps kept and broken, and what cannot be verified in full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from surgery.drift.inputs import make_inputs
from surgery.drift.verifier import Verifier
from surgery.errors import InputError
from surgery.ir import Model
from tests.support import model_of

ORIGINAL = "g (float[1,4,8] x) => (float[1,4,8] y) <float k = {3.0}> { y = Div(x, k) }"
ROUNDED = "g (float[1,4,8] x) => (float[1,4,8] y) <float k = {0.333333333}> { y = Mul(x, k) }"
WRONG = "g (float[1,4,8] x) => (float[1,4,8] y) <float k = {0.334}> { y = Mul(x, k) }"
CUSTOM = """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[4] x) => (float[4] y, float[4] z)
    { a = {NAME}(x)  [foo] b = my.Foo(a)  y = Relu(b)  z = Neg(a) }"""


def verifier(text: str, **options: object) -> Verifier:
    model = model_of(text)
    return Verifier(model, make_inputs(model, samples=2), **options)  # type: ignore[arg-type]


def test_an_equal_model_is_exact() -> None:
    v = verifier(ORIGINAL)
    step = v.check(model_of(ORIGINAL), "exact")
    assert step.ok
    assert step.drift_step == 0
    assert v.verified == "full"


def test_a_rounding_rewrite_is_not_exact_and_a_wrong_one_is_neither() -> None:
    v = verifier(ORIGINAL)
    assert v.check(model_of(ROUNDED), "rounding").ok
    assert not v.check(model_of(ROUNDED), "exact").ok
    step = v.check(model_of(WRONG), "rounding")
    assert not step.ok
    assert "output 'y'" in step.reason


def test_exact_is_against_the_last_accepted_step() -> None:
    v = verifier(ORIGINAL)
    step = v.check(model_of(ROUNDED), "rounding")
    v.accept(step)
    later = v.check(model_of(ROUNDED), "exact")
    assert later.ok
    assert later.drift_step == 0
    assert later.drift_total == step.drift_total != 0
    assert v.drift[0].worst_rel == step.drift_total


def test_an_approximate_step_needs_its_budget_and_frees_the_total() -> None:
    with pytest.raises(InputError, match="budget"):
        verifier(ORIGINAL).check(model_of(WRONG), "approximate")
    v = verifier(ORIGINAL, budget={"cosine": 0.999})
    v.accept(v.check(model_of(WRONG), "approximate"))
    assert v.check(model_of(WRONG), "rounding").ok
    assert not verifier(ORIGINAL, budget={"max_abs": 1e-6}).check(model_of(WRONG), "approximate").ok


def test_a_model_that_onnxruntime_refuses_is_a_broken_promise() -> None:
    v = verifier("g (float[4] x) => (float[4] y) { y = Relu(x) }")
    text = '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[4] x) => (float[4] y) { y = my.Foo(x) }'
    step = v.check(model_of(text), "exact")
    assert not step.ok
    assert "my:Foo" in step.reason


def test_operators_onnxruntime_lacks_make_it_partial_up_to_their_inputs() -> None:
    v = verifier(CUSTOM.replace("{NAME}", "Abs"))
    assert v.verified == "partial"
    assert v.reasons == ["onnxruntime has no my:Foo"]
    assert sorted(v.reference[0]) == ["input 0 of foo", "z"]
    assert v.check(model_of(CUSTOM.replace("{NAME}", "Abs")), "exact").ok
    assert not v.check(model_of(CUSTOM.replace("{NAME}", "Relu")), "exact").ok


def test_what_an_operator_left_out_feeds_is_left_out_too() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[4] x) => (float[4] y)
        { a = Neg(x)  [first] b = my.Foo(a)  c = Abs(b)  [second] y = my.Foo(c, a) }"""
    assert sorted(verifier(text).reference[0]) == ["input 0 of first", "input 1 of second"]


def test_nothing_to_run_is_none_and_lets_the_run_go_on() -> None:
    text = '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[4] x) => (float[4] y) { y = my.Foo(x) }'
    v = verifier(text)
    assert v.verified == "none"
    assert "my:Foo" in v.reasons[0]
    step = v.check(model_of(text), "exact")
    assert step.ok
    assert step.drift_step is None
    assert v.drift == []


def test_a_function_that_calls_a_lost_operator_is_lost() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "my": 1, "f": 1]> g (float[4] x) => (float[4] y, float[4] z)
        { y = f.Outer(x)  z = Neg(x) }
        <domain: "f", opset_import: ["": 17, "my": 1]> Outer (a) => (b) { b = my.Foo(a) }"""
    v = verifier(text)
    assert v.verified == "partial"
    assert list(v.reference[0]) == ["z"]


def test_random_outputs_are_left_out_and_said() -> None:
    v = verifier("g (float[4] x) => (float[4] y, float[4] z) { r = RandomNormalLike(x)  y = Add(x, r)  z = Neg(x) }")
    assert v.verified == "partial"
    assert v.reasons == ["random, not comparable: y"]
    assert list(v.reference[0]) == ["z"]


def test_an_output_of_nothing_but_nan_proves_nothing() -> None:
    v = verifier("g (float[4] x) => (float[4] y) { a = Sub(x, x)  y = Div(a, a) }")
    assert v.verified == "partial"
    assert v.reasons == ["NaN or infinite everywhere: y"]


def test_a_rewrite_that_used_a_concrete_batch_is_caught() -> None:
    text = "g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"
    fixed = "g (float[N,4] x) => (float[N,4] y) <int64[2] s = {1, 4}> { a = Reshape(x, s)  y = Relu(a) }"
    assert not verifier(text).check(model_of(fixed), "exact").ok


def test_a_second_batch_the_original_cannot_run_is_said() -> None:
    model = model_of("g (float[N,4] x) => (float[1,4] y) <int64[2] s = {1, 4}> { y = Reshape(x, s) }")
    inputs = make_inputs(model)
    assert Verifier(model, inputs).verified == "full"
    assert "the original does not run at x 2x4: not checked there" in inputs.notes


def test_the_reference_is_the_file_as_given(tmp_path: Path) -> None:
    onnx.save_model(model_of(ORIGINAL).to_proto(), tmp_path / "m.onnx")
    model = Model.load(tmp_path / "m.onnx")
    onnx.save_model(model_of(WRONG).to_proto(), tmp_path / "m.onnx")
    v = Verifier(model, make_inputs(model))
    assert v.verified == "partial"
    assert "loading already changed the numbers" in v.reasons[0]


def test_a_fp16_model_widens_its_own_bound() -> None:
    rng = np.random.default_rng(0)
    proto = model_of("g (float16[1,8,8] x, float16[8,8] w) => (float16[1,8,8] y) { y = MatMul(x, w) }").to_proto()
    del proto.graph.input[1]
    proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal((8, 8)).astype(np.float16), "w"))
    model = Model.load(proto)
    step = Verifier(model, make_inputs(model)).check(model, "rounding")
    assert step.ok
    assert step.total.widened[0].bound > 1e-3
