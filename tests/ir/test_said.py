"""What loading puts right, leaves out or refuses, and that it says so."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from surgery.errors import ModelError
from surgery.ir import Model
from surgery.ir.session import open_session
from tests.support import model_of, proto_of

PLAIN = "g (float[2] x) => (float[2] y) { y = Relu(x) }"


def notes(proto: onnx.ModelProto) -> list[str]:
    return Model.load(proto).normalised


def test_a_plain_model_needs_no_notes():
    assert notes(proto_of("g (float[2] x) => (float[2] y) { [r] y = Relu(x) }")) == []


def test_lifted_constant_nodes_keep_what_they_say():
    proto = proto_of("g (float[1] x) => (float[1] y) { [c] c = Constant<value_float = 2.0>() [m] y = Mul(x, c) }")
    proto.graph.node[0].doc_string = "why"
    proto.graph.node[0].metadata_props.add(key="k", value="v")
    model = Model.load(proto)
    assert model.normalised == ["Constant nodes made constants (1): 'c'"]
    (kept,) = model.to_proto().graph.initializer
    assert (kept.doc_string, kept.metadata_props[0].value) == ("why", "v")


def test_constants_that_nothing_reads_are_left_out_wherever_they_are():
    text = "g (float[1] x) => (float[1] y) <float[1] u = {1}> { c = Constant<value_float = 2.0>() [r] y = Relu(x) }"
    assert "constants that nothing reads left out (2): 'u', 'c'" in notes(proto_of(text))


def test_stale_types_and_annotations_are_left_out():
    proto = proto_of("g (float[2] x) => (float[2] y) { [r] y = Relu(x) }")
    proto.graph.value_info.append(helper.make_tensor_value_info("ghost", TensorProto.FLOAT, [1]))
    proto.graph.quantization_annotation.add(tensor_name="phantom")
    assert notes(proto) == [
        "types of values that nothing computes left out (1): 'ghost'",
        "quantisation annotations of values that nothing computes left out (1): 'phantom'",
    ]


def test_what_a_file_says_of_a_constant_stays_with_it():
    proto = proto_of("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { [m] y = Mul(x, w) }")
    info = proto.graph.value_info.add(name="w", doc_string="learned")
    info.metadata_props.add(key="k", value="v")
    (kept,) = Model.load(proto).to_proto().graph.initializer
    assert (kept.doc_string, kept.metadata_props[0].value) == ("learned", "v")


def test_a_custom_domain_without_an_import_is_imported():
    proto = proto_of(
        '<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[1] x) => (float[1] y) { y = own.F(x) }'
    )
    del proto.opset_import[1]
    model = Model.load(proto)
    assert "repaired: operator domain 'own' was used without an import, version 1 is assumed" in model.normalised
    assert model.opsets == {"": 17, "own": 1}
    onnx.checker.check_model(model.to_proto())


def test_no_opset_is_refused():
    proto = proto_of(PLAIN)
    del proto.opset_import[:]
    with pytest.raises(ModelError, match="says no opset"):
        Model.load(proto)


def test_a_graph_without_a_name_gets_one():
    proto = proto_of(PLAIN)
    proto.graph.name = ""
    model = Model.load(proto)
    assert "repaired: the graph had no name" in model.normalised
    onnx.checker.check_model(model.to_proto())


def test_an_output_without_a_shape_gets_the_one_of_its_operator():
    proto = proto_of(PLAIN)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    assert "repaired: output 'y' was stated without a shape, its operator gives 2" in notes(proto)


@pytest.mark.parametrize("end", ["input", "output"])
def test_an_end_of_unknown_rank_is_refused(end: str):
    text = '<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[2] x) => (float[2] y) { y = own.F(x) }'
    proto = proto_of(text)
    getattr(proto.graph, end)[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match=f"graph {end} '[xy]' has no shape in the file"):
        Model.load(proto)


def test_operators_that_contradict_each_other_are_refused():
    text = "g (float[2,3] x, float[4,5] z) => (float[2,5] y) { y = MatMul(x, z) }"
    with pytest.raises(ModelError, match="Incompatible dimensions for matrix multiplication"):
        model_of(text)


def test_outputs_keep_symbols_that_inference_could_resolve():
    model = model_of("g (float[2] x) => (float[N] y) { [r] y = Relu(x) }")
    assert (model.graph.outputs[0].shape, model.normalised) == (("N",), [])


def test_a_wrong_output_shape_is_repaired():
    model = model_of("g (float[2] x) => (float[3] y) { [r] y = Relu(x) }")
    assert model.normalised == ["repaired: 'y' was stated as 3, its operator gives 2"]


def old_file() -> onnx.ModelProto:
    """IR version 3, where every initializer has to be a graph input, too; one is heavy."""
    weights = [numpy_helper.from_array(np.full(s, 2.0, np.float32), n) for n, s in (("a", (1, 1)), ("w", (32, 32)))]
    infos = [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.dims) for t in weights]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 32)) for name in "xy")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], "m"), helper.make_node("Add", ["m", "a"], ["y"], "s")]
    graph = helper.make_graph(nodes, "g", [infos[0], x, infos[1]], [y], weights)
    return helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid("", 7)])


def test_before_ir_4_initializers_are_listed_again():
    model = Model.load(old_file())
    assert ([v.name for v in model.graph.inputs], model.normalised) == (["x"], [])
    for form in ("inline", "inputs"):
        proto = model.to_proto(form)
        onnx.checker.check_model(proto)
        assert {i.name for i in proto.graph.input} == {"x", "a", "w"}
    out = open_session(model).run({"x": np.ones((1, 32), np.float32)})
    assert np.array_equal(out["y"], np.full((1, 32), 66.0, np.float32))


@pytest.mark.parametrize("node", ["Relu", "LeakyRelu <alpha = 0.1>"])
def test_a_node_that_reads_itself_is_a_cycle(node: str):
    with pytest.raises(ModelError, match="takes part in a cycle"):
        model_of(f"g (float[2] x) => (float[2] y) {{ y = {node} (y) }}")
