"""From protobuf to graphs: what is read, and what is refused with one sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from surgery.errors import ModelError
from surgery.ir import Constant, Graph, Model
from tests.support import model_of, proto_of

PLAIN = "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Add (x, w) y = Relu (a) }"


def test_attributes_become_plain_values() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1] x) => (float[1] y) {
        y = my.Foo <i = 1, f = 0.5, s = "text", is = [1, 2], fs = [0.5, 1.5], ss = ["a", "b"],
                    t = float[2] {1, 2}> (x) }"""
    attrs = model_of(text).graph.nodes[0].attrs
    tensor = attrs.pop("t")
    assert attrs == {"i": 1, "f": 0.5, "s": "text", "is": [1, 2], "fs": [0.5, 1.5], "ss": ["a", "b"]}
    assert isinstance(tensor, Constant)
    assert tensor.values.tolist() == [1, 2]


def test_bytes_that_are_no_text_stay_bytes() -> None:
    proto = proto_of(
        '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1] x) => (float[1] y) { y = my.Foo (x) }'
    )
    proto.graph.node[0].attribute.append(helper.make_attribute("blob", b"\xff\xfe"))
    model = Model.load(proto)
    assert model.graph.nodes[0].attrs["blob"] == b"\xff\xfe"
    assert model.to_proto().graph.node[0].attribute[0].s == b"\xff\xfe"


def test_a_body_sees_the_graphs_around_it() -> None:
    model = model_of("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
        a = Relu (x)
        y = If (c) <then_branch = t () => (float[1] p) { p = Add (a, x) },
                    else_branch = e () => (float[1] q) { q = Neg (a) }> }""")
    relu, branch = model.graph.nodes
    body = branch.attrs["then_branch"]
    assert isinstance(body, Graph)
    assert body.owner is branch
    assert body.nodes[0].inputs == [relu.outputs[0], model.graph.inputs[1]]
    assert {n.op for n in relu.outputs[0].consumers} == {"Add", "Neg"}


def test_the_order_of_the_file_is_free() -> None:
    proto = proto_of(PLAIN)
    proto.graph.node.reverse()
    assert [n.op for n in Model.load(proto).graph.nodes] == ["Add", "Relu"]


def test_an_initializer_stored_twice_alike_is_one() -> None:
    proto = proto_of(PLAIN)
    proto.graph.initializer.append(proto.graph.initializer[0])
    model = Model.load(proto)
    assert any("stored twice" in note for note in model.normalised)
    assert len(model.to_proto().graph.initializer) == 1


def _sparse(indices: np.ndarray[tuple[int, ...], np.dtype[np.int64]], dims: list[int]) -> ModelProto:
    proto = proto_of("g (float[2,3] x) => (float[2,3] y) <float[2,3] w = {0,0,0,0,0,0}> { y = Add (x, w) }")
    values = numpy_helper.from_array(np.array([5, 7], np.float32), "w")
    tensor = SparseTensorProto(values=values, indices=numpy_helper.from_array(indices, "w_indices"), dims=dims)
    del proto.graph.initializer[:]
    proto.graph.sparse_initializer.append(tensor)
    return proto


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_tensors_are_made_dense(indices: list[object]) -> None:
    model = Model.load(_sparse(np.array(indices, np.int64), [2, 3]))
    assert model.graph.nodes[0].inputs[1].values.tolist() == [[0, 5, 0], [0, 0, 7]]
    assert any("sparse" in note and "'w'" in note for note in model.normalised)


def _twice_different(proto: ModelProto) -> None:
    proto.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.float32), "w"))


def _input_twice(proto: ModelProto) -> None:
    proto.graph.input.append(proto.graph.input[0])


def _defined_twice(proto: ModelProto) -> None:
    proto.graph.node[1].output[0] = "a"


def _undefined(proto: ModelProto) -> None:
    proto.graph.node[0].input[0] = "nowhere"


def _undefined_output(proto: ModelProto) -> None:
    proto.graph.output[0].name = "nowhere"


def _unknown_opset(proto: ModelProto) -> None:
    proto.opset_import[0].version = 999


def _unknown_ir(proto: ModelProto) -> None:
    proto.ir_version = 999


def _unknown_op(proto: ModelProto) -> None:
    proto.graph.node[0].op_type = "NoSuchOperator"


def _no_opset(proto: ModelProto) -> None:
    del proto.opset_import[:]


def _empty(proto: ModelProto) -> None:
    proto.ClearField("graph")


def _short_data(proto: ModelProto) -> None:
    weight = proto.graph.initializer[0]
    weight.CopyFrom(TensorProto(name="w", data_type=1, dims=[2], raw_data=b"\0\0\0"))


BROKEN: dict[str, Callable[[ModelProto], None]] = {
    "initializer 'w' is defined twice with different values": _twice_different,
    "graph input 'x' is declared twice": _input_twice,
    "tensor 'a' is defined twice": _defined_twice,
    "reads 'nowhere', which nothing defines": _undefined,
    "'nowhere', which nothing defines": _undefined_output,
    "opset 999 is newer than the installed onnx knows": _unknown_opset,
    "IR version 999 is newer than the installed onnx reads": _unknown_ir,
    "No Op registered for NoSuchOperator": _unknown_op,
    "the file says no opset": _no_opset,
    "it has no graph": _empty,
    "has 3 bytes of data, its type and shape need 8": _short_data,
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_what_is_broken_is_refused(sentence: str) -> None:
    proto = proto_of(PLAIN)
    BROKEN[sentence](proto)
    with pytest.raises(ModelError) as error:
        Model.load(proto)
    assert sentence in str(error.value)
    assert error.value.exit_code == 2


def test_indices_of_a_sparse_tensor_are_checked() -> None:
    with pytest.raises(ModelError, match="sparse tensor 'w' has indices outside its shape"):
        Model.load(_sparse(np.array([1, 6], np.int64), [2, 3]))


def test_a_forgotten_import_of_a_custom_domain_is_repaired() -> None:
    proto = proto_of(
        '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1] x) => (float[1] y) { y = my.Foo (x) }'
    )
    del proto.opset_import[1:]
    model = Model.load(proto)
    assert model.opsets == {"": 17, "my": 1}
    assert any("'my' was used without an import" in note for note in model.normalised)
    onnx.checker.check_model(model.to_proto())
