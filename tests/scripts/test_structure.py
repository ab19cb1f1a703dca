"""The comparison behind the round trip: every kind of loss is seen, and excused only when it is said."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
from onnx import TensorProto, helper

from scripts.structure import compare, unreported
from tests.support import proto_of

TEXT = """<ir_version: 8, opset_import: ["": 17, "own": 1]> g (bool c, float[N, 2] x) => (float[N, 2] y)
<float[2] w = {1, 2}, float[2] v = {3, 4}> {
  [mul] m = Mul (x, w)
  [if] b = If (c) <then_branch = t () => (float[?, 2] p) { [inner] p = Add (m, v) },
                   else_branch = e () => (float[?, 2] q) { [other] q = own.F <level = 3> (m) }>
  [relu] y = Relu (b)
}"""

Change = Callable[[onnx.ModelProto], object]


def changed(change: Change) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A model with one of everything, and the same after a change."""
    old, new = proto_of(TEXT), proto_of(TEXT)
    for proto in (old, new):
        proto.graph.doc_string, proto.producer_name = "graph", "maker"
        proto.metadata_props.add(key="k", value="v")
        proto.graph.node[0].doc_string = "node"
        proto.graph.quantization_annotation.add(tensor_name="m")
        info = helper.make_tensor_value_info("m", TensorProto.FLOAT, ["N", 2], doc_string="value")
        proto.graph.value_info.append(info)
    change(new)
    return old, new


def test_equal_models_lose_nothing():
    assert list(compare(*changed(lambda _: None))) == []


LOSSES: dict[str, tuple[Change, str]] = {
    "node": (lambda m: m.graph.node.pop(), "lost"),
    "node name": (lambda m: m.graph.node[0].ClearField("name"), "node-renamed"),
    "node documentation": (lambda m: m.graph.node[0].ClearField("doc_string"), "lost"),
    "order": (lambda m: m.graph.node.insert(0, m.graph.node.pop()), "order"),
    "attribute": (lambda m: m.graph.node[1].attribute[1].g.node[0].ClearField("attribute"), "lost"),
    "attribute value": (lambda m: setattr(m.graph.node[1].attribute[1].g.node[0].attribute[0], "i", 4), "lost"),
    "operand": (lambda m: m.graph.node[0].input.__setitem__(1, "v"), "lost"),
    "weight value": (lambda m: m.graph.initializer[0].float_data.__setitem__(0, 9.0), "lost"),
    "weight type": (lambda m: setattr(m.graph.initializer[0], "data_type", 7), "lost"),
    "output": (lambda m: m.graph.output.pop(), "lost"),
    "output symbol": (lambda m: setattr(m.graph.output[0].type.tensor_type.shape.dim[0], "dim_value", 1), "type"),
    "output type": (lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", 11), "type"),
    "inner value's documentation": (lambda m: m.graph.value_info[0].ClearField("doc_string"), "lost"),
    "inner value's type": (lambda m: m.graph.value_info.pop(), "lost"),
    "annotation": (lambda m: m.graph.quantization_annotation.pop(), "lost"),
    "opset": (lambda m: m.opset_import.pop(), "lost"),
    "metadata": (lambda m: m.metadata_props.pop(), "lost"),
    "producer": (lambda m: m.ClearField("producer_name"), "lost"),
    "graph documentation": (lambda m: m.graph.ClearField("doc_string"), "lost"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_seen(name: str):
    change, kind = LOSSES[name]
    assert kind in {loss.kind for loss in compare(*changed(change))}


def test_a_loss_is_excused_by_as_many_as_are_said():
    old, new = changed(lambda m: [m.graph.node[0].ClearField("name"), m.graph.node[2].ClearField("name")])
    assert len(unreported(old, new, ["1 nodes shared a name with another and were renamed: 'mul'"])) == 2
    assert unreported(old, new, ["2 nodes shared a name with another and were renamed: 'mul', 'relu'"]) == []


def test_a_lifted_constant_and_an_identity_of_it_are_followed():
    old = proto_of(
        "g (float[2] x) => (float[2] y) { c = Constant<value_floats = [1.0, 2.0]>() i = Identity(c) y = Add(x, i) }"
    )
    new = proto_of("g (float[2] x) => (float[2] y) <float[2] c = {1, 2}> { y = Add(x, c) }")
    assert [loss.kind for loss in compare(old, new)] == ["constant-node", "identity"]
    new.graph.initializer[0].float_data[0] = 5
    assert "lost" in {loss.kind for loss in compare(old, new)}
