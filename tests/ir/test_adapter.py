"""The contract of the adapter: one test per defect of onnx-graphsurgeon 0.6.1, each of which it reproduces raw.

The numbers are those of the table in ``reference/graphsurgeon.md`` of the design material.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, helper

from passes.fold import FoldConstants
from surgery.errors import ModelError
from surgery.ir import Constant, Graph, Model, Node, Value
from surgery.ir.edit import Editor
from surgery.ir.exporter import attribute_type
from surgery.ir.sort import sort
from surgery.pipeline.manager import Manager
from tests.support import apply_pass, model_of, proto_of

ELIDED = """g (int64[3] x) => (int64[3] y) <float[1] half = {0.5}> {
    f = Cast <to = 1> (x)  m = Mul (f, half)  y = Cast <to = 7> (m) }"""


def test_casts_are_not_elided() -> None:
    """Defect 1: folding drops the casts around a Mul by 0.5, and [4, 6, -7] gives zeros."""
    raw = gs.import_onnx(proto_of(ELIDED))
    raw.fold_constants().cleanup()
    assert [n.op for n in raw.nodes] != ["Cast", "Mul", "Cast"], "the defect is gone: is the adapter still needed?"
    applied = apply_pass(ELIDED, FoldConstants(), inputs={"x": np.array([4, 6, -7], np.int64)})
    assert applied.ops == ["Cast", "Mul", "Cast"]


def test_custom_op_does_not_stop_folding() -> None:
    """Defect 2: one operator that onnxruntime lacks, and nothing at all is folded, without a word."""
    text = """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[4] x) => (float[4] y)
        <float[4] w = {1, 2, 3, 4}> { a = my.Foo (w)  b = Add (w, w)  c = Add (b, x)  y = Add (c, a) }"""
    applied = apply_pass(text, FoldConstants(), verify=False)
    assert applied.ops == ["Foo", "Add", "Add"]
    assert applied.reasons == ["my:Foo is a custom operator"]


def test_identity_comparison_of_unnamed_nodes() -> None:
    """Defect 3: nodes of one structure are equal, have no hash, and the wrong one loses its edge."""
    x = Value("x", np.dtype(np.float32), (1,))
    first, second = Node("Relu", inputs=[x], outputs=[Value("a")]), Node("Relu", inputs=[x], outputs=[Value("a")])
    assert first != second
    assert len({first, second, x, Value("x")}) == 4
    graph = Graph("g")
    for node in (first, second):
        Editor().insert(node, graph, (0.0,))
    Editor().remove(second)
    assert x.outputs == [first]
    assert x.outputs[0] is first


def test_removing_many_consumers_is_linear() -> None:
    """Defect 4: taking 3000 readers off one tensor took 7.3 s; at that rate this would take minutes."""
    old, new = Value("old"), Value("new")
    for index in range(20_000):
        Node("Relu", f"n{index}", inputs=[old], outputs=[Value(f"o{index}")])
    editor = Editor()
    editor.redirect(old, new)
    editor.rollback()
    editor.redirect(old, new)
    assert (len(old.outputs), len(new.outputs)) == (0, 20_000)


def test_inputs_from_a_generator_keep_links() -> None:
    """Defect 5: a generator is used up before the links are made."""
    values = [Value("a"), Value("b")]
    editor, node = Editor(), Node("Add", inputs=[Value("x"), Value("y")], outputs=[Value("z")])
    editor.set_inputs(node, tuple(v for v in values))
    assert [v.outputs for v in values] == [[node], [node]]
    built = Node("Add", "n", {}, (v for v in values), [Value("w")])  # type: ignore[arg-type]
    assert built.inputs == values
    assert values[0].outputs == [node, built]


def _chain(length: int) -> Graph:
    values = [Value(f"v{i}") for i in range(length + 1)]
    graph, editor = Graph("chain"), Editor()
    graph.inputs = [values[0]]
    for index in range(length):
        editor.insert(Node("Relu", f"n{index}", inputs=[values[index]], outputs=[values[index + 1]]), graph, (0.0,))
    graph.outputs = [values[-1]]
    return graph


def test_sort_is_iterative_and_stable() -> None:
    """Defect 6: a reversed chain of 1500 is a RecursionError, and a sorted graph is reordered."""
    graph = _chain(1500)
    graph.nodes.reverse()
    for index, node in enumerate(graph.nodes):
        node.position = (index,)
    assert sort(graph)
    assert [n.name for n in graph.nodes] == [f"n{i}" for i in range(1500)]
    assert not sort(graph)


def test_export_of_a_copy_leaves_the_original() -> None:
    """Defect 7: a renamed weight of a copy renames the initializer of the proto it was imported from."""
    proto = proto_of("g (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> { y = Add (x, w) }")
    model = Model.load(proto)
    twin = model.copy()
    twin.graph.nodes[0].inputs[1].name = "renamed"
    assert [t.name for t in twin.to_proto().graph.initializer] == ["renamed"]
    assert [t.name for t in model.to_proto().graph.initializer] == ["w"]
    assert [t.name for t in proto.graph.initializer] == ["w"]


def _documented() -> ModelProto:
    proto = proto_of(
        "g (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> { t = Relu (x) y = Add (t, w) }", ir_version=10
    )
    proto.doc_string, proto.domain, proto.model_version, proto.producer_name = "model", "org.example", 7, "maker"
    proto.metadata_props.add(key="author", value="me")
    graph = proto.graph
    graph.doc_string = "graph"
    graph.metadata_props.add(key="of", value="graph")
    graph.node[0].name, graph.node[0].doc_string = "relu", "node"
    graph.node[0].metadata_props.add(key="of", value="node")
    graph.input[0].doc_string, graph.output[0].doc_string = "input", "output"
    info = helper.make_tensor_value_info("t", TensorProto.FLOAT, [4], "inner")
    graph.value_info.append(info)
    graph.initializer[0].doc_string = "weight"
    annotation = graph.quantization_annotation.add(tensor_name="t")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    return proto


def test_docs_metadata_and_annotations_survive() -> None:
    """Defect 8: all of these are dropped by a round trip."""
    before = _documented()
    after = Model.load(before).to_proto()
    for name in ("doc_string", "domain", "model_version", "producer_name", "ir_version"):
        assert getattr(after, name) == getattr(before, name)
    assert list(after.metadata_props) == list(before.metadata_props)
    for name in ("doc_string", "metadata_props", "quantization_annotation", "input", "output", "value_info"):
        assert getattr(after.graph, name) == getattr(before.graph, name), name
    before.graph.node[0].ClearField("domain")  # the parser writes the empty default
    assert after.graph.node[0] == before.graph.node[0]
    assert after.graph.initializer[0].doc_string == "weight"


def _exotic() -> Iterator[AttributeProto]:
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("p", "q")]
    graph = helper.make_graph([helper.make_node("Relu", ["p"], ["q"])], "inner", ends[:1], ends[1:])
    yield helper.make_attribute("type", helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))
    yield helper.make_attribute("types", [helper.make_tensor_type_proto(TensorProto.FLOAT, [2])])
    yield helper.make_attribute("tensors", [tensor, tensor])
    yield helper.make_attribute("graphs", [graph])
    yield AttributeProto(name="empty", type=AttributeProto.INTS)
    yield AttributeProto(name="none", type=AttributeProto.FLOATS)


def test_exotic_attributes_survive() -> None:
    """Defect 9: attributes of these kinds are dropped, an empty list makes the export raise."""
    proto = proto_of(
        '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1] x) => (float[1] y) { y = my.Foo (x) }'
    )
    proto.graph.node[0].attribute.extend(_exotic())
    after = Model.load(proto).to_proto().graph.node[0].attribute
    assert {a.name: a for a in after} == {a.name: a for a in _exotic()}


@pytest.mark.parametrize("kind", ["optional", "sequence"])
def test_types_other_than_tensors_survive(kind: str) -> None:
    """Defect 9 again: optional inputs raise, the types of sequences change."""
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
    proto_type = (
        helper.make_optional_type_proto(inner) if kind == "optional" else helper.make_sequence_type_proto(inner)
    )
    infos = [helper.make_value_info(name, proto_type) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"], name="n")], "g", infos[:1], infos[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    after = Model.load(proto).to_proto().graph
    assert (list(after.input), list(after.output)) == (infos[:1], infos[1:])


def test_float_attribute_stays_float() -> None:
    """Defect 10: ``alpha = 1`` is exported as an INT, which the checker refuses."""
    model = model_of("g (float[1] x) => (float[1] y) { y = LeakyRelu <alpha = 0.5> (x) }")
    model.graph.nodes[0].attrs["alpha"] = 1
    assert attribute_type(model.graph.nodes[0], "alpha", 1, 17) == AttributeProto.FLOAT
    assert model.to_proto().graph.node[0].attribute[0].f == 1.0
    model.check()


def test_duplicate_tensor_names_are_an_error() -> None:
    """Defect 11: a warning, and one of the two silently wins."""
    proto = proto_of("g (float[1] x) => (float[1] y) { a = Relu (x) y = Neg (a) }")
    proto.graph.node[1].output[0] = "a"
    proto.graph.output[0].name = "a"
    with pytest.raises(ModelError, match=r"tensor 'a' is defined twice"):
        Model.load(proto)


def test_shapes_after_load() -> None:
    """Defect 12: graphsurgeon does not infer shapes."""
    model = model_of("g (float[2,3] x) => (float[?,?] y) { a = Transpose (x) b = Neg (a) y = Relu (b) }")
    assert [n.outputs[0].shape for n in model.graph.nodes[:2]] == [(3, 2), (3, 2)]


def test_unused_initializers_are_kept_or_reported() -> None:
    """Defect 13: they vanish."""
    proto = proto_of("g (float[1] x) => (float[1] y) <float[1] left = {1}> { y = Relu (x) }")
    model = Model.load(proto)
    assert any("nothing reads" in note and "'left'" in note for note in model.normalised)


def test_walks_are_once_per_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defect 14: folding, ``tensors()`` and ``toposort`` walk everything at each call; here work is linear."""
    from passes.noops import RemoveNoops

    walks = 0
    walk = Graph.walk

    def counted(self: Graph, **options: bool) -> Iterator[Graph]:
        nonlocal walks
        walks += 1
        return walk(self, **options)

    def run(length: int) -> int:
        nonlocal walks
        lines = "  ".join(f"v{i + 1} = Identity (v{i})" for i in range(length))
        model = model_of(f"g (float[1] v0) => (float[1] y) {{ {lines}  y = Relu (v{length}) }}")
        walks = 0
        [result] = Manager(model).run([("noops", RemoveNoops())])
        assert result.applied == length
        return walks

    monkeypatch.setattr(Graph, "walk", counted)
    assert run(200) - run(20) <= 5


def test_a_weight_is_a_constant_and_costs_no_bytes() -> None:
    """What the adapter is for: the bytes stay in the store, whatever graphsurgeon's own code asks."""
    model = model_of("g (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> { y = Add (x, w) }")
    weight = model.graph.nodes[0].inputs[1]
    assert isinstance(weight, Constant)
    assert isinstance(weight, gs.Constant)
    assert weight.values.base is not None or not weight.values.flags.writeable
    onnx.checker.check_model(model.to_proto())
