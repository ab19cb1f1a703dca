"""Types and shapes: as loaded, after edits, with open dims."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir import Model, Shape, Value
from surgery.ir.edit import Editor
from surgery.ir.infer import dims, merge, sharpens
from surgery.ir.infer_node import infer_node
from tests.support import model_of, proto_of


def shapes(model: Model) -> dict[str, Shape | None]:
    """Of what is computed and is no output of the main graph: those keep what the file states."""
    outputs = {v.name for v in model.graph.outputs}
    return {v.name: v.shape for n in model.nodes() for v in n.outputs if v.name not in outputs}


def test_shapes_follow_from_the_operators() -> None:
    model = model_of(
        """g (float[1,3,8,8] x) => (float[?,?,?,?] y) <float[4,3,3,3] w = {@}> {
        a = Conv <strides = [2,2]> (x, w)  b = MaxPool <kernel_shape = [3,3]> (a)  y = Relu (b) }""".replace(
            "@", ", ".join(["0"] * 108)
        )
    )
    assert shapes(model) == {"a": (1, 4, 3, 3), "b": (1, 4, 1, 1)}


def test_shapes_follow_from_small_constants() -> None:
    """They travel with the light proto that inference gets; large weights do not."""
    model = model_of(
        """g (float[2,6] x) => (float[?,?,?] y) <int64[3] s = {2, -1, 2}> { a = Reshape (x, s)  y = Relu (a) }"""
    )
    assert shapes(model) == {"a": (2, 3, 2)}


def test_inference_after_an_edit() -> None:
    model = model_of("g (float[2,3] x) => (float[?,?] y) { a = Transpose (x) b = Relu (a) y = Neg (b) }")
    editor = Editor()
    transpose, relu, _ = model.graph.nodes
    editor.redirect(transpose.outputs[0], model.graph.inputs[0])
    editor.remove(transpose)
    editor.settle()
    assert shapes(model)["b"] == (3, 2), "stale until inferred"
    mark = editor.mark()
    assert model.infer(editor.retype) == ["'b' was stated as 3x2, its operator gives 2x3"]
    assert shapes(model) == {"b": (2, 3)}
    assert relu.outputs[0].dtype == np.float32
    editor.rollback(mark)
    assert shapes(model)["b"] == (3, 2)


def test_dynamic_dims() -> None:
    """A dim that nobody knows is None, and names made up by inference are no names."""
    model = model_of("""g (float[4,3] x, int64[1] n) => (float[?,?] y) {
        s = NonZero (x)  f = Cast <to = 1> (s)  y = Relu (f) }""")
    assert shapes(model) == {"s": (2, None), "f": (2, None)}


def test_symbolic_dims() -> None:
    model = model_of("""g (float[N,3,H] x) => (float[N,3,H] y) {
        a = Relu (x)  b = Transpose (a)  y = Transpose (b) }""")
    assert shapes(model) == {"a": ("N", 3, "H"), "b": ("H", 3, "N")}


def test_outputs_keep_what_they_are_stated_with() -> None:
    """The interface is a contract, and says less than inference knows; only what is wrong is put right."""
    model = model_of("g (float[2,3] x) => (float[N,3] y, float[4,3] z) { y = Relu (x) z = Neg (x) }")
    assert [v.shape for v in model.graph.outputs] == [("N", 3), (2, 3)]
    assert "repaired: 'z' was stated as 4x3, its operator gives 2x3" in model.normalised


def test_wrong_value_info_is_replaced() -> None:
    proto = proto_of("g (float[2,3] x) => (float[3,2] y) { a = Relu (x) y = Transpose (a) }")
    proto.graph.value_info.add().CopyFrom(proto.graph.output[0])
    proto.graph.value_info[0].name = "a"
    model = Model.load(proto)
    assert shapes(model)["a"] == (2, 3)
    assert "repaired: 'a' was stated as 3x2, its operator gives 2x3" in model.normalised


def test_a_wrong_dtype_is_replaced() -> None:
    proto = proto_of("g (float[2] x) => (int64[2] y) { a = Relu (x) y = Cast <to = 7> (a) }")
    info = proto.graph.value_info.add()
    info.CopyFrom(proto.graph.output[0])
    info.name = "a"
    model = Model.load(proto)
    assert model.graph.nodes[0].outputs[0].dtype == np.float32
    assert "repaired: 'a' was stated as int64, its operator gives float32" in model.normalised


def test_what_custom_operators_are_stated_to_compute_is_believed() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[2,3] x) => (float[?,?] y)
        <float[5,7] a> { a = my.Foo (x)  b = Relu (a)  y = Neg (b) }"""
    assert shapes(model_of(text)) == {"a": (5, 7), "b": (5, 7)}


def test_stated_dims_stay_where_inference_is_silent() -> None:
    text = """g (float[4,5] x) => (float[3,2] y) <float[3,2] t> {
        n = NonZero (x)  f = Cast <to = 1> (n)  t = Transpose (f)  y = Relu (t) }"""
    assert shapes(model_of(text)) == {"n": (2, None), "f": (2, None), "t": (3, 2)}


def test_bodies_are_inferred() -> None:
    model = model_of("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[2,3] x) => (float[?,?] y) {
        y = If (c) <then_branch = t () => (float[?,?] p) { a = Transpose (x)  p = Relu (a) },
                    else_branch = e () => (float[?,?] q) { b = Transpose (x)  q = Neg (b) }> }""")
    assert shapes(model) == {"a": (3, 2), "p": (3, 2), "b": (3, 2), "q": (3, 2)}


def test_a_new_node_is_inferred_alone() -> None:
    model = model_of("g (float[2,3] x) => (float[3,2] y) { y = Transpose (x) }")
    assert infer_node(model.graph.nodes[0], model.opset) == [(np.dtype(np.float32), (3, 2))]
    model.graph.nodes[0].domain = "my"
    assert infer_node(model.graph.nodes[0], model.opset) == [(None, None)]


@pytest.mark.parametrize(
    ("stated", "found", "merged"),
    [
        (("N", 3), (None, 3), ("N", 3)),
        (("N", 3), (1, 3), (1, 3)),
        ((1, 3), (None, None), (1, 3)),
        ((1, 3), None, (1, 3)),
        (None, (1, 3), (1, 3)),
        ((1, 3), (1, 3, 5), (1, 3, 5)),
        (("N", 3), ("M", 3), ("N", 3)),
    ],
)
def test_merging(stated: Shape | None, found: Shape | None, merged: Shape) -> None:
    assert merge(stated, found) == merged


@pytest.mark.parametrize(
    ("stated", "found", "sharper"),
    [
        (("N", 3), (1, 3), True), ((1, 3), ("N", 3), False), (None, (1,), True), ((1,), None, False),
        ((1, 3), (1, 4), False), ((1, 3), (1, 3), True), ((None, 3), ("N", 3), True), ((1,), (1, 1), False),
    ],
)  # fmt: skip
def test_sharper(stated: Shape | None, found: Shape | None, sharper: bool) -> None:
    assert sharpens(stated, found) is sharper


def test_shapes_for_humans() -> None:
    assert [dims(s) for s in (None, (), (1, "N", None))] == ["unknown", "scalar", "1xNx?"]
    assert Value("v").shape is None
