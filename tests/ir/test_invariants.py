"""What must hold of a graph, and the sentence for each breach."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from surgery.errors import DefectError
from surgery.ir import Model, Node, Value
from surgery.ir.invariants import breaches
from tests.support import model_of

TEXT = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) <float[1] w = {1}> {
    a = Relu (x)  b = Add (a, w)
    y = If (c) <then_branch = t () => (float[1] p) { p = Neg (b) },
                else_branch = e () => (float[1] q) { q = Abs (a) }> }"""


def test_sound_graph_passes() -> None:
    model = model_of(TEXT)
    assert list(breaches(model.graph)) == []
    model.check()


def _same_node_name(model: Model) -> None:
    model.graph.nodes[0].name = "Add"


def _no_node_name(model: Model) -> None:
    model.graph.nodes[0].name = ""


def _same_tensor_name(model: Model) -> None:
    model.graph.nodes[0].outputs[0].name = "b"


def _wrong_owner(model: Model) -> None:
    model.graph.nodes[0].graph = None


def _two_producers(model: Model) -> None:
    list.append(model.graph.nodes[0].outputs[0].inputs, Node("Exp", "ghost"))


def _unknown_reader(model: Model) -> None:
    list.clear(model.graph.inputs[1].outputs)


def _wrong_order(model: Model) -> None:
    model.graph.nodes.reverse()


def _dangling_producer(model: Model) -> None:
    del model.graph.nodes[0]


def _dangling_output(model: Model) -> None:
    model.graph.outputs = [Value("nowhere")]


BREACHES: dict[str, Callable[[Model], None]] = {
    "2 nodes are named 'Add'": _same_node_name,
    "1 nodes are named ''": _no_node_name,
    "two tensors are named 'b'": _same_tensor_name,
    "Relu('Relu') does not know its graph": _wrong_owner,
    "is computed by [Relu('Relu'), Exp('ghost')], not by Relu('Relu') alone": _two_producers,
    "does not know its reader Relu('Relu')": _unknown_reader,
    "If('If') reads 'b' before it is computed": _wrong_order,
    "whose producer left the graph": _dangling_producer,
    "graph output 'nowhere' is computed by nothing": _dangling_output,
}


@pytest.mark.parametrize("sentence", BREACHES)
def test_each_broken_invariant_is_named(sentence: str) -> None:
    model = model_of(TEXT)
    BREACHES[sentence](model)
    assert any(sentence in breach for breach in breaches(model.graph)), list(breaches(model.graph))


def test_a_breach_is_our_defect() -> None:
    model = model_of(TEXT)
    _wrong_order(model)
    with pytest.raises(DefectError, match="before it is computed") as error:
        model.check()
    assert error.value.exit_code == 3
