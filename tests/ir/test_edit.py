"""Edits and their undoing, one by one and at random."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgery.ir import Constant, Graph, Model, Node, Value
from surgery.ir.edit import Editor
from surgery.ir.invariants import breaches
from tests.support import model_of

TEXT = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[2] x) => (float[2] y, float[2] z)
    <float[2] w = {1, 2}> {
    a = Relu (x)  b = Add (a, w)  d = LeakyRelu <alpha = 0.5> (b)
    y = If (c) <then_branch = t () => (float[2] p) { n = Neg (d)  p = Mul (n, w) },
                else_branch = e () => (float[2] q) { q = Abs (a) }>
    z = Mul (d, a) }"""


def state(model: Model) -> list[object]:
    """Everything an edit may change."""
    return [
        [(g.name, [v.name for v in (*g.inputs, *g.outputs)]) for g in model.graph.walk()],
        [
            (
                n.name,
                n.op,
                n.domain,
                n.position,
                sorted(k for k in n.attrs),
                n.attrs.get("alpha"),
                n.doc_string,
                dict(n.metadata),
            )
            for n in model.nodes()
        ],
        [[(t.name, str(t.dtype), t.shape) for t in (*n.inputs, *n.outputs)] for n in model.nodes()],
        sorted(
            (t.name, sorted(n.name for n in t.outputs), [n.name for n in t.inputs])
            for n in model.nodes()
            for t in (*n.inputs, *n.outputs)
        ),
    ]


def node(model: Model, op: str) -> Node:
    return next(n for n in model.nodes() if n.op == op)


def _sweep(model: Model, editor: Editor) -> None:
    editor.set_graph_outputs(model.graph, model.graph.outputs[1:])
    editor.sweep([node(model, "If")], _wanted(model))


def _wanted(model: Model) -> Callable[[object], bool]:
    return lambda tensor: bool(model.graph.returned_by(tensor))  # type: ignore[arg-type]


EDITS: dict[str, Callable[[Model, Editor], object]] = {
    "insert": lambda m, e: e.insert(Node("Exp", "new", {}, [m.graph.inputs[-1]], [Value("v")]), m.graph, (0.0, 1.0)),
    "remove": lambda m, e: e.remove(node(m, "LeakyRelu")),
    "remove with bodies": lambda m, e: e.remove(node(m, "If")),
    "move": lambda m, e: e.move(node(m, "Neg"), m.graph, (3.0,)),
    "set_input": lambda m, e: e.set_input(node(m, "Mul"), 0, m.graph.inputs[-1]),
    "set_input beyond the last": lambda m, e: e.set_input(node(m, "Relu"), 2, m.graph.inputs[-1]),
    "set_inputs": lambda m, e: e.set_inputs(node(m, "Add"), [m.graph.inputs[-1]] * 3),
    "redirect": lambda m, e: e.redirect(node(m, "Relu").outputs[0], m.graph.inputs[-1]),
    "redirect a weight": lambda m, e: e.redirect(node(m, "Add").inputs[1], Constant("u", np.ones(2, np.float32))),
    "set_attr": lambda m, e: e.set_attr(node(m, "LeakyRelu"), "alpha", 0.25),
    "remove an attr": lambda m, e: e.set_attr(node(m, "LeakyRelu"), "alpha", None),
    "set_op": lambda m, e: e.set_op(node(m, "LeakyRelu"), "Elu", {}),
    "set_outputs": lambda m, e: e.set_outputs(node(m, "Relu"), [Value("other")]),
    "set_graph_inputs": lambda m, e: e.set_graph_inputs(m.graph, m.graph.inputs[1:]),
    "set_graph_outputs": lambda m, e: e.set_graph_outputs(m.graph, m.graph.outputs[::-1]),
    "rename": lambda m, e: e.rename(node(m, "Add"), "sum"),
    "rename a tensor": lambda m, e: e.rename(node(m, "Add").outputs[0], "sum"),
    "set_doc": lambda m, e: e.set_doc(node(m, "Add"), "text"),
    "set_metadata": lambda m, e: e.set_metadata(node(m, "Add"), "key", "text"),
    "retype": lambda m, e: e.retype(node(m, "Add").outputs[0], np.dtype(np.float64), ("N",)),
    "sweep": _sweep,
}


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_undone(edit: str) -> None:
    model, editor = model_of(TEXT), Editor()
    before = state(model)
    EDITS[edit](model, editor)
    editor.settle()
    assert state(model) != before
    editor.rollback()
    assert state(model) == before
    assert not list(breaches(model.graph))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(EDITS)), min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_groups_of_edits_are_undone(edits: list[str], chance: random.Random) -> None:
    """Whatever was edited since a mark, settled or not, comes back; what was before stays."""
    model, editor = model_of(TEXT), Editor()
    states = [(editor.mark(), state(model))]
    for name in edits:
        try:
            EDITS[name](model, editor)
        except StopIteration:  # an earlier edit took its node
            continue
        if chance.random() < 0.5:
            editor.settle()
        states.append((editor.mark(), state(model)))
    for mark, expected in states[::-1]:
        editor.rollback(mark)
        assert state(model) == expected


def test_inserted_nodes_are_sorted_in() -> None:
    model, editor = model_of(TEXT), Editor()
    source = node(model, "Relu").outputs[0]
    editor.insert(Node("Exp", "first", {}, [model.graph.inputs[1]], [Value("u")]), model.graph, (0.0,))
    editor.insert(Node("Exp", "after", {}, [source], [Value("v")]), model.graph, (-1.0,))
    editor.settle()
    assert [n.name for n in model.graph.nodes][:3] == ["Relu", "after", "first"]
    assert [n.position for n in model.graph.nodes] == [(i,) for i in range(7)]


def test_settling_what_did_not_move_is_no_edit() -> None:
    editor = Editor()
    editor.settle()
    assert editor.mark() == 0


def test_what_a_removed_node_read_forgets_it() -> None:
    model, editor = model_of(TEXT), Editor()
    weight, relu = node(model, "Add").inputs[1], node(model, "Relu").outputs[0]
    assert {n.op for n in weight.consumers} == {"Add", "Mul"}
    editor.remove(node(model, "If"))
    assert {n.op for n in weight.consumers} == {"Add"}, "the bodies of the If read no more"
    assert {n.op for n in relu.consumers} == {"Add", "Mul"}


def test_sweeping_goes_up_as_far_as_nothing_reads() -> None:
    model = model_of("""g (float[2] x) => (float[2] y) { a = Relu (x) b = Exp (a) d = Neg (b) y = Sin (a) }""")
    editor = Editor()
    swept = editor.sweep([node(model, "Neg")], _wanted(model))
    assert [n.op for n in swept] == ["Neg", "Exp"]
    assert node(model, "Relu").graph is model.graph


def test_sweeping_leaves_what_a_graph_returns() -> None:
    model = model_of(TEXT)
    assert Editor().sweep(list(model.graph.nodes), _wanted(model)) == []


def test_a_moved_node_keeps_its_links() -> None:
    model, editor = model_of(TEXT), Editor()
    moved = node(model, "Neg")
    editor.move(moved, model.graph, (9.0,))
    editor.settle()
    assert moved.graph is model.graph
    assert [n.op for n in model.graph.nodes] == ["Relu", "Add", "LeakyRelu", "Mul", "Neg", "If"]
    assert [n.op for n in moved.outputs[0].consumers] == ["Mul"]
    assert [n.op for n in moved.inputs[0].consumers] == ["Neg", "Mul"]
    assert not list(breaches(model.graph))


def test_bodies_of_a_moved_node_outlive_where_they_were() -> None:
    """Its old owner is removed afterwards, as inlining does."""
    inner = """i = If (c) <then_branch = t2 () => (float[2] p2) { p2 = Neg (d) },
                          else_branch = e2 () => (float[2] q2) { q2 = Sin (d) }>"""
    model, editor = model_of(TEXT.replace("n = Neg (d)", f"{inner}  n = Neg (i)")), Editor()
    outer = next(n for n in model.graph.nodes if n.op == "If")
    nested = next(n for n in model.nodes() if n.op == "If" and n is not outer)
    editor.move(nested, model.graph, (9.0,))
    editor.remove(outer)
    editor.settle()
    assert [n.op for g in list(model.graph.walk())[1:] for n in g.nodes] in (["Neg", "Sin"], ["Sin", "Neg"])
    assert isinstance(nested.graph, Graph)
