"""share-equals: equal nodes computed once, equal weights stored once."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from passes.share import ShareEquals
from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.support import apply_pass, model_of, proto_of


def shared(body: str, y: str = "float[2,4] y") -> list[str]:
    """Operators left of a graph from x."""
    return apply_pass(f"g (float[2,4] x) => ({y}) {{ {body} }}", ShareEquals()).ops


def test_whole_chains() -> None:
    text = "a = Sigmoid (x)  b = Sigmoid (x)  p = Mul (x, a)  q = Mul (x, b)  y = Add (p, q)"
    assert shared(text) == ["Sigmoid", "Mul", "Add"]


def test_attributes_of_every_kind() -> None:
    text = (
        "a = Elu <alpha = 0.5> (x)  b = Elu <alpha = 0.25> (x)  c = Elu <alpha = 0.5> (x)"
        " d = Transpose <perm = [1, 0]> (x)  e = Transpose <perm = [1, 0]> (x)"
        " f = MatMul (a, d)  g = MatMul (b, e)  h = MatMul (c, e)  i = Add (f, g)  y = Add (h, i)"
    )
    assert shared(text, "float[2,2] y") == ["Elu", "Elu", "Transpose", "MatMul", "MatMul", "Add", "Add"]


def test_constants_that_are_equal() -> None:
    text = "a = Mul (x, p)  b = Mul (x, q)  c = Mul (x, r)  d = Add (a, b)  y = Add (c, d)"
    proto = proto_of(f"g (float[2,4] x) => (float[2,4] y) {{ {text} }}")
    for name, value in {"p": 2.0, "q": 2.0, "r": -2.0}.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    assert apply_pass(Model.load(proto), ShareEquals()).ops == ["Mul", "Mul", "Add", "Add"]


def test_zeros_of_two_signs_are_two() -> None:
    proto = proto_of("g (float[2] x) => (float[2] y) { a = Div (x, p)  b = Div (x, q)  y = Max (a, b) }")
    for name, value in {"p": 0.0, "q": -0.0}.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    assert apply_pass(Model.load(proto), ShareEquals(), verify=False).ops == ["Div", "Div", "Max"]


def test_both_are_outputs() -> None:
    done = apply_pass("g (float[2,4] x) => (float[2,4] y, float[2,4] z) { y = Sin (x)  z = Sin (x) }", ShareEquals())
    assert sorted(done.ops) == ["Identity", "Sin"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("a = RandomNormalLike (x)  b = RandomNormalLike (x)  y = Add (a, b)", ""),
        ("a = Sin (x)  b = Cos (x)  y = Add (a, b)", "no node before it computes the same"),
        (
            "a = Dropout (x, r, t)  b = Dropout (x, r, t)  y = Add (a, b)",
            "may draw random numbers",
        ),
    ],
)
def test_what_is_left(body: str, reason: str) -> None:
    model = model_of(f"g (float[2,4] x, float r, bool t) => (float[2,4] y) {{ {body} }}")
    done = apply_pass(model, ShareEquals(), verify=False)
    assert done.result.status is not Status.APPLIED
    assert not reason or reason in done.reasons


def test_custom_operators_are_not_shared() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        g (float[2,4] x) => (float[2,4] y) { a = own.Draw (x)  b = own.Draw (x)  y = Add (a, b) }"""
    done = apply_pass(model_of(text), ShareEquals(), verify=False)
    assert done.result.status is not Status.APPLIED


def test_weights_are_stored_once() -> None:
    text = "a = MatMul (x, p)  b = MatMul (a, q)  y = MatMul (b, r)"
    proto = proto_of(f"g (float[2,40] x) => (float[2,40] y) {{ {text} }}")
    weight = np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32)
    for name, array in {"p": weight, "q": weight, "r": weight.T.copy()}.items():
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    done = apply_pass(Model.load(proto), ShareEquals())
    assert len(done.model.to_proto().graph.initializer) == 2
    assert [edit.change.rule for edit in done.result.edits] == ["share-weights"]
