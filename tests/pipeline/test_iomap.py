"""Interfaces that moved: the two small graphs undo it, alone and one after the other."""

from __future__ import annotations

import numpy as np

from passes.strip import StripIoNodes
from surgery.drift.inputs import make_inputs
from surgery.ir import Model
from surgery.ir.edit import Editor
from surgery.ir.session import open_session
from surgery.pipeline.iomap import IoMap
from surgery.pipeline.manager import Manager
from surgery.rewrite import Rewriter
from tests.support import interface, model_of, proto_of

TWO = """g (float[1,4,4,3] image, float[1,2] size) => (float[1,4,4,3] y, float[2,1] s)
<float k = {0.5}, int8 z = {1}>
{
    t = Transpose <perm = [0, 3, 1, 2]> (image)
    r = Sin (t)
    y = Transpose <perm = [0, 2, 3, 1]> (r)
    q = QuantizeLinear (size, k, z)
    d = DequantizeLinear (q, k, z)
    c = Cos (d)
    e = Transpose (c)
    s = Cast <to = 1> (e)
}"""


def stripped(model: Model, *steps: StripIoNodes) -> tuple[Model, list[IoMap]]:
    """The model after each step in turn, and the map of each."""
    maps = []
    for step in steps:
        manager = Manager(model.copy())
        manager.run([(step.name, step)])
        assert manager.io is not None
        maps.append(manager.io)
        model = manager.model
    return model, maps


def same_numbers(one: Model, other: Model) -> bool:
    for feeds in make_inputs(one, samples=2).samples:
        a, b = open_session(one).run(feeds), open_session(other).run(feeds)
        if list(a) != list(b) or not all(np.array_equal(a[name], b[name]) for name in a):
            return False
    return True


def test_a_map_undoes_what_moved() -> None:
    model = model_of(TWO)
    inner, [io] = stripped(model, StripIoNodes())
    assert [n.op for n in inner.nodes()] == ["Sin", "Cos"]
    whole = io.compose(inner)
    whole.check()
    assert interface(whole) == interface(model)
    assert same_numbers(model, whole)


def test_composing_leaves_the_model_as_it_is() -> None:
    inner, [io] = stripped(model_of(TWO), StripIoNodes())
    before = inner.to_proto()
    io.compose(inner)
    assert inner.to_proto() == before


def test_what_did_not_move_is_not_in_the_map() -> None:
    model = model_of(TWO)
    inner, [io] = stripped(model, StripIoNodes(types=("Transpose",), side="inputs"))
    assert [i.name for i in io.prologue.input] == ["image"]
    assert (len(io.epilogue.node), len(io.epilogue.input)) == (0, 0)
    assert [name for name, _, _ in interface(inner)] == ["t", "size", "y", "s"]
    assert interface(io.compose(inner)) == interface(model)


def test_maps_compose() -> None:
    """The map of two changes is the map of the first, then that of the second."""
    model = model_of(TWO)
    steps = (StripIoNodes(types=(kind,)) for kind in ("Quantize", "Dequantize", "Cast", "Transpose"))
    inner, [first, *later] = stripped(model, *steps)
    io = first
    for each in later:
        io = io.then(each)
    assert {i.name for i in io.epilogue.input} == {"c", "r"}
    assert {o.name for o in io.epilogue.output} == {"s", "y"}
    assert io.removed == tuple(name for each in (first, *later) for name in each.removed)
    assert len(io.prologue.node) + len(io.epilogue.node) == 6
    whole = io.compose(inner)
    whole.check()
    assert interface(whole) == interface(model)
    assert same_numbers(model, whole)


def test_weights_that_two_maps_share_are_there_once() -> None:
    inner, [first, second] = stripped(
        model_of(TWO), StripIoNodes(types=("Quantize",)), StripIoNodes(types=("Dequantize",))
    )
    names = [t.name for t in first.then(second).prologue.initializer]
    assert sorted(names) == ["k", "z"]
    assert [n.op for n in inner.nodes()] == ["Transpose", "Sin", "Transpose", "Cos", "Transpose", "Cast"]


def test_a_weight_that_stayed_and_moved_is_there_under_two_names() -> None:
    model = model_of(TWO)
    inner, [io] = stripped(model, StripIoNodes(types=("Quantize",)))
    whole = io.compose(inner)
    whole.check()
    assert same_numbers(model, whole)


def test_names_of_what_moved_may_be_taken_again() -> None:
    """A pass that runs later may give a value of the model the name of one that moved out."""
    model = model_of(TWO)
    inner, [io] = stripped(model, StripIoNodes())
    rw = Rewriter(inner.graph, inner.opset, Editor())
    cos = next(n for n in inner.nodes() if n.op == "Cos")
    rw.begin("test/rule", cos)
    twice = rw.op("Neg", rw.op("Neg", cos.inputs[0]))
    rw.set_input(cos, 0, twice)
    rw.editor.settle()
    rw.editor.rename(twice, "q")
    rw.editor.rename(cos, "Transpose")
    inner.check()
    whole = io.compose(inner)
    whole.check()
    assert same_numbers(model, whole)


def test_a_map_is_made_of_checked_graphs() -> None:
    model = model_of(TWO)
    _, [io] = stripped(model, StripIoNodes())
    for graph in (io.prologue, io.epilogue):
        proto = proto_of(TWO)
        proto.graph.CopyFrom(graph)
        Model.load(proto).check()
