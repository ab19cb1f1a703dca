"""Graphs, nodes and values: identity, links, who returns what."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from surgery.ir import Constant, Graph, Model, Node, Value
from surgery.ir.edit import Editor
from tests.support import model_of

FLOAT = np.dtype(np.float32)


def test_values_know_producer_and_consumers() -> None:
    model = model_of("g (float[1] x) => (float[1] y) { a = Relu (x) b = Add (a, a) y = Mul (a, b) }")
    relu, add, mul = model.graph.nodes
    value = relu.outputs[0]
    assert value.producer is relu
    assert value.consumers == [add, mul], "each once, however often it reads"
    assert value.outputs == [add, add, mul]
    assert model.graph.inputs[0].producer is None


def test_a_value_may_be_open() -> None:
    assert Value("v").rank is None
    assert not Value("v").is_static
    assert Value("v", FLOAT, (1, "N")).rank == 2
    assert not Value("v", FLOAT, (1, "N")).is_static
    assert not Value("v", FLOAT, (1, None)).is_static
    assert Value("v", FLOAT, ()).is_static


def test_a_constant_has_the_type_of_its_weight() -> None:
    constant = Constant("w", np.zeros((2, 3), np.float16))
    assert (str(constant.dtype), constant.shape, constant.rank, constant.nbytes) == ("float16", (2, 3), 2, 12)
    assert constant.is_static
    assert constant.producer is None


def test_omitted_inputs_are_none() -> None:
    model = model_of("g (float[1] x, float[1] h) => (float[1] y) { y = Clip (x, , h) }")
    node = model.graph.nodes[0]
    assert node.input(1) is None
    assert node.input(2) is model.graph.inputs[1]
    assert node.input(3) is None
    assert node.inputs[1].is_empty()


def test_domains_of_onnx_are_one() -> None:
    assert Node("Relu").is_onnx
    assert Node("Relu", domain="ai.onnx").is_onnx
    assert not Node("Relu", domain="ai.onnx.ml").is_onnx


def test_graphsurgeon_takes_our_graphs() -> None:
    model = model_of("g (float[1] x) => (float[1] y) { y = Relu (x) }")
    assert isinstance(model.graph, gs.Graph)
    assert all(isinstance(n, gs.Node) for n in model.graph.nodes)
    assert set(model.graph.tensors()) == {"x", "y"}


NESTED = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
    a = Relu (x)
    y = If (c) <then_branch = t () => (float[1] p) {
            p = If (c) <then_branch = t2 () => (float[1] p2) { p2 = Neg (a) },
                        else_branch = e2 () => (float[1] q2) { q2 = Abs (a) }> },
        else_branch = e () => (float[1] q) { q = Exp (a) }> }"""


def test_walk_visits_every_body() -> None:
    graph = model_of(NESTED).graph
    names = [g.name for g in graph.walk()]
    assert names[0] == "g"
    assert sorted(names) == ["e", "e2", "g", "t", "t2"]
    assert names.index("t") < names.index("t2"), "outer before inner"
    assert all(inner.root is graph for inner in graph.walk())


def test_who_returns_a_value() -> None:
    graph = model_of(NESTED).graph
    for inner in graph.walk():
        assert list(graph.returned_by(inner.outputs[0])) == [inner]
    assert not graph.returned_by(graph.inputs[0])


def test_who_returns_a_value_follows_edits() -> None:
    graph = model_of(NESTED).graph
    relu, branch = graph.nodes
    inner = next(g for g in graph.walk() if g.name == "e2")
    old, editor = inner.outputs[0], Editor()
    assert graph.returned_by(old)
    editor.set_graph_outputs(inner, [relu.outputs[0]])
    assert (list(graph.returned_by(old)), list(graph.returned_by(relu.outputs[0]))) == ([], [inner])
    editor.remove(branch)
    assert not graph.returned_by(relu.outputs[0])
    editor.rollback()
    assert list(graph.returned_by(old)) == [inner]


def test_a_copy_shares_weights_alone() -> None:
    model = model_of(NESTED.replace("{ q = Exp (a) }", "{ k = Constant <value_floats = [1.0]> ()  q = Add (a, k) }"))
    twin = model.copy()
    ours, theirs = _things(model), _things(twin)
    assert len(ours) == len(theirs)
    assert not {id(t) for t in ours} & {id(t) for t in theirs}
    weights = [[t.weight for t in side if isinstance(t, Constant)] for side in (ours, theirs)]
    assert weights[0]
    assert all(a is b for a, b in zip(*weights, strict=True))
    assert twin.to_proto() == model.to_proto()


def _things(model: Model) -> list[object]:
    found: dict[int, object] = {}
    for graph in model.graphs():
        for thing in (graph, *graph.inputs, *graph.outputs, *graph.nodes):
            found[id(thing)] = thing
        for node in graph.nodes:
            found.update((id(t), t) for t in (*node.inputs, *node.outputs) if not t.is_empty())
    return list(found.values())


def test_names_for_humans() -> None:
    assert repr(Value("v", FLOAT, (1, "N"))) == "Value('v', float32, (1, 'N'))"
    assert repr(Node("Relu", "r")) == "Relu('r')"
    assert repr(Graph("g")) == "Graph('g', 0 nodes)"
