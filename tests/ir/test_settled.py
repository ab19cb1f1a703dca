"""What changed says whether inference of the whole is to find anything; where it says no, the whole agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from surgery.errors import DefectError, ModelError
from surgery.ir import Graph, Model, Node
from surgery.ir.edit import Editor
from surgery.ir.graph import Shape
from surgery.ir.settled import is_settled
from surgery.pipeline import Pipeline, manager
from surgery.pipeline.run import run
from tests.support import ROOT, model_of

TEXT = """g (float[1,1,8,8] x, float[N,4] d) => (float[1,1,8,8] y, float[N,4] e)
    <float[1,1,3,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}> {
    c = Conv <pads = [1,1,1,1]> (x, w)  s = Shape (c)  y = Reshape (c, s)  e = Relu (d) }"""


def node(model: Model, op: str) -> Node:
    return next(n for n in model.nodes() if n.op == op)


def convolution(model: Model, editor: Editor) -> Node:
    found = node(model, "Conv")
    editor.set_attr(found, "pads", [1, 1, 1, 1])
    return found


def smaller(model: Model, editor: Editor) -> Node:
    found = node(model, "Conv")
    editor.set_attr(found, "pads", [0, 0, 0, 0])
    return found


def integers(model: Model, editor: Editor) -> Node:
    found = node(model, "Shape")
    editor.set_attr(found, "start", 0)
    return found


def symbolic(model: Model, editor: Editor) -> Node:
    found = node(model, "Relu")
    editor.set_op(found, "Tanh", {})
    return found


@pytest.mark.parametrize(
    ("edit", "settled"), [(convolution, True), (smaller, False), (integers, False), (symbolic, False)]
)
def test_what_changed_decides(edit: Callable[[Model, Editor], Node], settled: bool) -> None:
    model, editor = model_of(TEXT), Editor()
    changed = edit(model, editor)
    assert editor.changed == {changed}
    assert is_settled(model.graph, editor.changed, model.opset) is settled


@pytest.mark.parametrize(
    ("stated", "read", "settled"),
    [(("N", 8), "x", True), ((1, 8), "x", True), ((1, 9), "x", False), (("N", 8), "y", False)],
)
def test_an_output_that_nothing_reads_keeps_its_statement(stated: Shape, read: str, settled: bool) -> None:
    text = f"g (float[1,8] x) => (float[1,8] y, float[1,8] z) {{ y = Relu (x) z = Neg ({read}) }}"
    model, editor = model_of(text), Editor()
    model.graph.outputs[0].shape = stated
    editor.set_op(node(model, "Relu"), "Tanh", {})
    assert is_settled(model.graph, editor.changed, model.opset) is settled
    if settled:
        model.infer(lambda *found: pytest.fail(str(found)))


def test_a_node_that_left_says_nothing() -> None:
    model, editor = model_of(TEXT), Editor()
    smaller(model, editor).graph = None
    assert is_settled(model.graph, editor.changed, model.opset)


@pytest.mark.parametrize("march", ["bayes-e", "bernoulli2"])
def test_where_the_pipeline_does_not_infer_nothing_was_to_be_found(march: str, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped: list[Graph] = []

    def watched(main: Graph, changed: Iterable[Node], opset: int) -> bool:
        settled = is_settled(main, changed, opset)
        if settled:
            whole = watching[-1]
            assert whole.graph is main
            found: list[object] = []
            whole.infer(lambda value, dtype, shape: found.append((value, dtype, shape)))
            assert not found
            whole.check()
            skipped.append(main)
        return settled

    watching: list[Model] = []
    monkeypatch.setattr(manager, "is_settled", watched)
    original = manager.Manager.run

    def remembering(self: manager.Manager, *args: Any, **more: Any) -> object:
        watching.append(self.model)
        try:
            return original(self, *args, **more)
        finally:
            watching.pop()

    monkeypatch.setattr(manager.Manager, "run", remembering)
    run(ROOT / "models/digits.onnx", march=march, verify="off", pipeline=Pipeline.default(march))
    assert skipped


def test_changed_nodes_are_checked() -> None:
    model, editor = model_of(TEXT), Editor()
    changed = convolution(model, editor)
    model.check_changed(editor.changed)
    editor.set_attr(changed, "stride", [1, 1])
    with pytest.raises(ModelError, match="Unrecognized attribute: stride"):
        model.check_changed(editor.changed)
    editor.rollback()
    node(model, "Relu").name = changed.name
    with pytest.raises(DefectError, match="2 nodes are named"):
        model.check_changed(())
