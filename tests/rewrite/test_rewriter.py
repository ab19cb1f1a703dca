"""The hands of a rule: names, types, origins, outputs, and undoing it all."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir import Value
from surgery.ir.invariants import breaches
from surgery.rewrite import ORIGIN
from tests.rewrite.world import world

TEXT = """g (float[2,3] x) => (float[2,3] y) <float[3] w = {1, 2, 3}> {
    a = Relu (x)  b = Mul (a, w)  y = Exp (b) }"""


def test_new_nodes_are_inferred() -> None:
    w = world(TEXT)
    w.rw.begin("pass/rule", w.node("Mul"))
    value = w.rw.op("Transpose", w.node("Relu").outputs[0], perm=[1, 0])
    assert (str(value.dtype), value.shape) == ("float32", (3, 2))
    reshaped = w.rw.op("Reshape", value, w.rw.ints([1, -1]))
    assert reshaped.shape == (1, 6)
    parts = w.rw.multi("Split", value, w.rw.ints([1, 2]), outputs=2, axis=0)
    assert [p.shape for p in parts] == [(1, 2), (2, 2)]


def test_attributes_and_inputs_may_be_left_out() -> None:
    w = world(TEXT)
    w.rw.begin("pass/rule", w.node("Mul"))
    node = w.rw.op("Clip", w.node("Relu").outputs[0], None, w.rw.constant(6.0, like=w.main.inputs[0]), to=None).producer
    assert node is not None
    assert node.attrs == {}
    assert [t.is_empty() for t in node.inputs] == [False, True, False]
    assert node.inputs[2].dtype == np.float32


def test_replacement_keeps_the_name() -> None:
    w = world(TEXT)
    old = w.node("Mul")
    old.name = "heavy"
    w.rw.begin("pass/rule", old)
    new = w.rw.op("Div", old.inputs[0], old.inputs[1], heir=old)
    w.rw.replace(old, new)
    assert new.producer is not None
    assert new.producer.name == "heavy"
    assert w.rw.change("rule").old == ("heavy",), "under the name it had"
    assert w.rw.change("rule").new == ("heavy",)
    assert w.ops == ["Relu", "Div", "Exp"]


def test_names_of_what_went_are_not_given_again() -> None:
    """It comes back when its removal is undone, whatever was named in between."""
    w = world(TEXT)
    w.rw.begin("pass/rule", w.node("Mul"))
    w.rw.replace(w.node("Mul"), w.node("Relu").outputs[0])
    w.rw.editor.settle()
    assert w.rw.tensor_name("b") == "b_1"


def test_names_are_looked_up_when_something_is_rewritten() -> None:
    w = world(TEXT)
    w.node("Mul").outputs[0].name = "late"
    w.rw.begin("pass/rule", w.node("Mul"))
    assert (w.rw.tensor_name("late"), w.rw.tensor_name("b")) == ("late_1", "b")


def test_origin_is_metadata() -> None:
    w = world(TEXT)
    w.rw.begin("pass/rule", w.node("Mul"))
    first = w.rw.op("Neg", w.node("Relu").outputs[0]).producer
    assert first is not None
    assert first.metadata == {ORIGIN: "pass/rule: Mul"}
    w.rw.begin("other/rule", first)
    second = w.rw.op("Abs", first.outputs[0]).producer
    assert second is not None
    assert second.metadata == {ORIGIN: "other/rule: Mul"}, "where it came from in the file, not from our own node"


def test_names_are_new() -> None:
    w = world(TEXT)
    w.rw.begin("pass/rule", w.node("Mul"))
    values = [w.rw.op("Neg", w.node("Relu").outputs[0]) for _ in range(3)]
    constants = [w.rw.constant(1.0, name="w") for _ in range(2)]
    names = [v.name for v in values] + [c.name for c in constants]
    assert len(set(names)) == 5
    assert [c.name for c in constants] == ["w_1", "w_2"]


def test_an_edit_outside_a_group_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="call begin"):
        world(TEXT).rw.op("Neg", Value("v"))


def test_a_replaced_output_keeps_name_and_type() -> None:
    w = world(TEXT.replace("float[2,3] y", "float[M,3] y"))
    old = w.main.outputs[0]
    old.doc_string, old.metadata = "result", {"key": "text"}
    w.rw.begin("pass/rule", w.node("Exp"))
    w.rw.replace(w.node("Exp"), w.rw.op("Sin", w.node("Mul").outputs[0]))
    out = w.main.outputs[0]
    assert out is not old
    assert (out.name, out.shape, out.doc_string, out.metadata) == ("y", old.shape, "result", {"key": "text"})
    assert old.name == "y_replaced"
    assert w.ops == ["Relu", "Mul", "Sin"]


@pytest.mark.parametrize("source", ["x", "w", "z"])
def test_what_cannot_take_the_name_gets_an_identity(source: str) -> None:
    """A graph input, a constant, another output."""
    text = TEXT.replace("float[2,3] y)", "float[2,3] y, float[2,3] z)").replace("y = Exp", "z = Sin (a)  y = Exp")
    w = world(text)
    exp = w.node("Exp")
    new = {"x": w.main.inputs[0], "w": w.node("Mul").inputs[1], "z": w.main.outputs[1]}[source]
    w.rw.begin("pass/rule", exp)
    w.rw.replace(exp, new)
    assert w.main.outputs[0].producer is not None
    assert w.main.outputs[0].producer.op == "Identity"
    assert [o.name for o in w.main.outputs] == ["y", "z"]
    assert new.name == source
    w.editor.settle()
    assert not list(breaches(w.main))


def test_a_body_returns_values_of_its_own() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
        a = Relu (x)
        y = If (c) <then_branch = t () => (float[1] p) { p = Abs (a) },
                    else_branch = e () => (float[1] q) { q = Neg (a) }> }"""
    w = world(text)
    inner = w.node("Abs")
    body = inner.graph
    w.rw.begin("pass/rule", inner)
    w.rw.replace(inner, w.node("Relu").outputs[0])
    w.editor.settle()
    assert body is not None
    assert [n.op for n in body.nodes] == ["Identity"]
    assert body.outputs[0].name == "p"
    w.model.infer()
    w.model.check()


def test_new_nodes_go_where_the_root_is() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
        y = If (c) <then_branch = t () => (float[1] p) { n = Neg (x)  p = Abs (n) },
                    else_branch = e () => (float[1] q) { q = Neg (x) }> }"""
    w = world(text)
    inner = w.node("Abs")
    w.rw.begin("pass/rule", inner)
    node = w.rw.op("Exp", inner.inputs[0]).producer
    assert node is not None
    assert node.graph is inner.graph


def test_removing_takes_what_only_it_needed() -> None:
    w = world(
        TEXT.replace("b = Mul (a, w)", "n = Neg (a)  m = Sin (n)  b = Mul (a, w)  k = Add (m, b)").replace(
            "Exp (b)", "Exp (k)"
        )
    )
    w.rw.begin("pass/rule", w.node("Add"))
    w.rw.replace(w.node("Add"), w.node("Mul").outputs[0])
    assert w.ops == ["Relu", "Mul", "Exp"]
    assert set(w.rw.change("rule").old) == {"Add", "Sin", "Neg"}


def test_reading_something_else_takes_what_only_it_needed() -> None:
    w = world(TEXT)
    w.rw.begin("pass/rule", w.node("Exp"))
    w.rw.set_input(w.node("Exp"), 0, w.main.inputs[0])
    assert w.ops == ["Exp"]
    assert w.rw.touched == [w.node("Exp")]


def test_undo_restores_every_edit() -> None:
    w = world(TEXT)
    before = w.model.digest()
    mul = w.node("Mul")
    w.rw.begin("pass/rule", mul)
    new = w.rw.op("Div", mul.inputs[0], w.rw.constant(2.0, like=mul.inputs[1]), heir=mul)
    w.rw.replace(mul, new)
    w.rw.replace(w.node("Exp"), w.rw.op("Neg", new))
    w.editor.settle()
    assert w.model.digest() != before
    w.editor.rollback()
    assert w.model.digest() == before
    assert not list(breaches(w.main))
