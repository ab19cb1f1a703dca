"""What loading puts right, and what it says about it."""

from __future__ import annotations

import pytest

from surgery.ir import Constant, Model
from surgery.ir.normalise import Names
from tests.support import model_of, proto_of


def test_node_names_become_unique() -> None:
    proto = proto_of("g (float[1] x) => (float[1] y) { a = Relu (x) b = Neg (a) c = Abs (b) y = Exp (c) }")
    for node, name in zip(proto.graph.node, ["same", "same", "", "same_1"], strict=True):
        node.name = name
    model = Model.load(proto)
    assert [n.name for n in model.graph.nodes] == ["same", "same_2", "Abs", "same_1"]
    assert model.normalised == [
        "1 unnamed nodes were given names",
        "1 nodes shared a name with another and were renamed: 'same'",
    ]


SHADOWED = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
    y = If (c) <then_branch = t () => (float[1] r) { a = Neg (x) r = Abs (a) },
                else_branch = e () => (float[1] r) { a = Abs (x) r = Neg (a) }> }"""


def test_tensor_names_become_unique() -> None:
    """Both branches use the names a and r, which is valid ONNX; here a name denotes one tensor."""
    model = model_of(SHADOWED)
    names = [v.name for g in model.graph.walk() for n in g.nodes for v in n.outputs]
    assert len(set(names)) == len(names) == 5
    assert any(note.startswith("2 tensors of inner graphs shared a name") for note in model.normalised)


@pytest.mark.parametrize(
    ("constant", "values"),
    [
        ("Constant <value = float[2] {1, 2}> ()", [1.0, 2.0]),
        ("Constant <value_float = 1.5> ()", 1.5),
        ("Constant <value_floats = [1.0, 2.0]> ()", [1.0, 2.0]),
        ("Constant <value_int = 3> ()", 3),
        ("Constant <value_ints = [3, 4]> ()", [3, 4]),
    ],
)
def test_constant_nodes_are_lifted(constant: str, values: object) -> None:
    model = model_of(f"g (float[2] x) => (float[?] y) {{ k = {constant}  f = Cast <to = 1> (k)  y = Add (x, f) }}")
    [lifted] = [t for n in model.graph.nodes for t in n.inputs if isinstance(t, Constant)]
    assert (lifted.name, lifted.values.tolist()) == ("k", values)


def test_a_lifted_string_is_a_string() -> None:
    model = model_of(
        'g (string[1] x) => (bool[1] y) { k = Constant <value_string = "a"> ()  y = Equal (x, k) }', opset=19
    )
    assert model.graph.nodes[0].inputs[1].values.tolist() == "a"


def test_identity_of_initializer_is_lifted() -> None:
    model = model_of("""g (float[1] x) => (float[1] y) <float[1] w = {1}> {
        a = Identity (w)  b = Identity (a)  c = Add (x, b)  y = Add (c, a) }""")
    assert [n.op for n in model.graph.nodes] == ["Add", "Add"]
    assert {n.inputs[1].name for n in model.graph.nodes} == {"w"}
    assert any("Identity of a constant" in note and "(2)" in note for note in model.normalised)


def test_identity_that_is_an_output_stays() -> None:
    model = model_of("g (float[1] x) => (float[1] y, float[1] z) <float[1] w = {1}> { y = Identity (w) z = Relu (x) }")
    assert [n.op for n in model.graph.nodes] == ["Identity", "Relu"]


def test_bodies_are_normalised() -> None:
    model = model_of("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y)
        <float[1] w = {1}> {
        y = If (c) <
            then_branch = t () => (float[1] p) {
                k = Constant <value_floats = [1.0]> ()  a = Identity (k)  p = Add (x, a) },
            else_branch = e () => (float[1] q) { i = Identity (w)  q = Add (x, i) }> }""")
    bodies = list(model.graph.walk())[1:]
    assert [[n.op for n in body.nodes] for body in bodies] == [["Add"], ["Add"]]
    assert sorted(body.nodes[0].inputs[1].name for body in bodies) == ["k", "w"]
    assert len({n.name for n in model.nodes()}) == 3


LISTED = "g (float[1] x, float[1] w) => (float[1] y) <float[1] w = {1}> { y = Add (x, w) }"


def test_input_initializer_is_reported() -> None:
    model = model_of(LISTED)
    assert [v.name for v in model.graph.inputs] == ["x"]
    assert isinstance(model.graph.nodes[0].inputs[1], Constant)
    assert any("initializer that was also a graph input" in note and "'w'" in note for note in model.normalised)


def test_input_initializer_is_kept_when_asked() -> None:
    model = Model.load(proto_of(LISTED), keep_input_initializers=True)
    assert [v.name for v in model.graph.inputs] == ["x", "w"]
    proto = model.to_proto()
    assert [v.name for v in proto.graph.input] == ["x", "w"]
    assert [t.name for t in proto.graph.initializer] == ["w"]


def test_old_files_list_every_initializer() -> None:
    """Before IR version 4 they have to; nothing is said, and saving lists them again."""
    model = model_of(LISTED, ir_version=3, opset=8)
    assert not any("also a graph input" in note for note in model.normalised)
    assert [v.name for v in model.graph.inputs] == ["x"]
    assert [v.name for v in model.to_proto().graph.input] == ["x", "w"]


def test_normalised_lists_what_was_done() -> None:
    proto = proto_of("g (float[1] x) => (float[1] y) <float[1] w = {1}> { b = Add (a, w) a = Relu (x) y = Neg (b) }")
    model = Model.load(proto)
    assert model.normalised == [
        "3 unnamed nodes were given names",
        "nodes of graph 'g' put in topological order",
    ]
    assert Model.load(model.to_proto()).normalised == []


def test_names_never_repeat() -> None:
    fresh = Names(["a", "a_1"])
    assert [fresh("a"), fresh("a"), fresh("b"), fresh(""), fresh("")] == ["a_2", "a_3", "b", "_1", "_2"]
