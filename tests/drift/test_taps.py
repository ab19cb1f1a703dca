"""Value by value: where two models part, in batches."""

from __future__ import annotations

import json

import pytest

from surgery.drift.inputs import make_inputs
from surgery.drift.taps import diff, plan
from surgery.errors import InputError
from tests.support import model_of

A = "g (float[1,4] x) => (float[1,4] y) <float k = {2.0}> { a = Relu(x)  b = Mul(a, k)  c = Exp(b)  y = Neg(c) }"
B = "g (float[1,4] x) => (float[1,4] y) <float k = {2.1}> { a = Relu(x)  b = Mul(a, k)  d = Exp(b)  y = Neg(d) }"


def test_the_first_bad_value_is_in_the_order_of_the_reference() -> None:
    model = model_of(A)
    drift = diff(model, model_of(B), make_inputs(model))
    assert [t.name for t in drift.taps] == ["a", "b"]
    assert drift.taps[0].bit_identical
    assert not drift.outputs[0].bit_identical
    assert drift.first_bad is not None
    assert (drift.first_bad.name, drift.first_bad.op) == ("b", "Mul")


def test_equal_models_have_no_bad_value_and_the_document_is_json() -> None:
    model = model_of(A)
    document = diff(model, model_of(A), make_inputs(model)).document()
    json.dumps(document, allow_nan=False)
    assert list(document) == ["samples", "outputs", "taps", "first_bad"]
    assert document["samples"] == 4
    assert document["first_bad"] is None
    assert len(document["taps"]) == 3


def test_without_taps_the_outputs_alone_are_judged() -> None:
    model = model_of(A)
    drift = diff(model, model_of(B), make_inputs(model), taps=False)
    assert drift.taps == []
    assert drift.first_bad is not None
    assert drift.first_bad.name == "y"


def test_batches_stay_below_their_size_and_change_nothing() -> None:
    model = model_of(A)
    values = [v for n in model.graph.nodes for v in n.outputs]
    assert [len(batch) for batch in plan(values, 40)] == [2, 2]
    assert [len(batch) for batch in plan(values, 1)] == [1, 1, 1, 1]
    calls: list[tuple[int, int]] = []
    inputs = make_inputs(model)
    small = diff(model, model_of(B), inputs, batch_bytes=1, progress=lambda *at: calls.append(at))
    assert calls == [(0, 2), (1, 2)]
    assert small == diff(model, model_of(B), inputs)


def test_a_later_batch_does_not_take_the_place_of_the_first_bad_value() -> None:
    model, other = model_of(A), model_of(A.replace("2.0", "2.1"))
    drift = diff(model, other, make_inputs(model), batch_bytes=1)
    assert drift.first_bad is not None
    assert drift.first_bad.name == "b"


def test_own_noise_widens_what_counts_as_bad() -> None:
    text = "g (float[1,4] x) => (float[1,4] y) <float k = {K}> { a = Mul(x, k)  b = Sin(a)  y = Neg(b) }"
    model, other = model_of(text.replace("K", "1000000.0")), model_of(text.replace("K", "1000000.1"))
    inputs = make_inputs(model)
    assert diff(model, other, inputs).first_bad is None
    assert diff(model, other, inputs, noise=False).first_bad is not None


def test_an_output_of_one_model_only_is_noted() -> None:
    model = model_of("g (float[4] x) => (float[4] y, float[4] z) { y = Relu(x)  z = Neg(x) }")
    drift = diff(model, model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }"), make_inputs(model))
    assert [o.name for o in drift.outputs] == ["y"]
    assert drift.notes == ["z is an output of one of the models only"]


def test_models_that_share_no_output_cannot_be_compared() -> None:
    model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
    with pytest.raises(InputError, match="no output in common"):
        diff(model, model_of("g (float[4] x) => (float[4] z) { z = Relu(x) }"), make_inputs(model))


def test_operators_onnxruntime_lacks_are_left_out() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[4] x) => (float[4] y)
        { a = Abs(x)  b = Neg(a)  y = my.Foo(b) }"""
    drift = diff(model_of(text), model_of(text), make_inputs(model_of(text)))
    assert [o.name for o in drift.outputs] == ["input 0 of " + model_of(text).graph.nodes[-1].name]
    assert [t.name for t in drift.taps] == ["a", "b"]
    assert "my:Foo" in drift.notes[0]
