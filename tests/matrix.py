"""The same graph in the places and shapes in which rules go wrong: one model per variant.

@pytest.mark.parametrize("variant", VARIANTS)
def test_everywhere(variant):
    applied = apply_pass(model_in(variant, TEXT), Step(), verify=runs(variant))
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from surgery.ir import Model
from tests.support import proto_of


def _plain(proto: ModelProto) -> None:
    """As written."""


def _in_if(proto: ModelProto) -> None:
    """The whole graph is the branch of an If, and reads inputs and weights of the graph around it."""
    graph = proto.graph
    branches = {key: _body(graph, f"{key}_") for key in ("then_branch", "else_branch")}
    graph.input.append(helper.make_tensor_value_info("condition", TensorProto.BOOL, []))
    node = helper.make_node("If", ["condition"], [v.name for v in graph.output])
    node.attribute.extend(helper.make_attribute(key, branch) for key, branch in branches.items())
    _replace_nodes(graph, [node])


def _in_loop(proto: ModelProto) -> None:
    """The whole graph is the body of a Loop of two iterations, whose outputs are stacked."""
    graph = proto.graph
    body = _body(graph, "body_")
    body.input.append(helper.make_tensor_value_info("iteration", TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info("going", TensorProto.BOOL, []))
    body.node.append(helper.make_node("Identity", ["going"], ["still_going"]))
    body.output.insert(0, helper.make_tensor_value_info("still_going", TensorProto.BOOL, []))
    graph.initializer.append(helper.make_tensor("twice", TensorProto.INT64, [], [2]))
    node = helper.make_node("Loop", ["twice", ""], [v.name for v in graph.output], body=body)
    for out in graph.output:
        shape = out.type.tensor_type.shape
        kept = list(shape.dim)
        del shape.dim[:]
        shape.dim.add(dim_value=2)
        shape.dim.extend(kept)
    _replace_nodes(graph, [node])


def _dynamic_batch(proto: ModelProto) -> None:
    """The first dim of every input and output is a symbol."""
    for info in (*proto.graph.input, *proto.graph.output):
        if info.type.tensor_type.shape.dim:
            info.type.tensor_type.shape.dim[0].dim_param = "N"


def _one_name(proto: ModelProto) -> None:
    """All nodes have the same name."""
    for node in proto.graph.node:
        node.name = "node"


def _tapped(proto: ModelProto) -> None:
    """Every inner value is also a graph output."""
    known = {v.name for v in proto.graph.output}
    inner = [ValueInfoProto(name=n) for node in proto.graph.node for n in node.output if n and n not in known]
    proto.graph.output.extend(inner)


def _shared_weights(proto: ModelProto) -> None:
    """Every weight has a second reader, whose result is a graph output."""
    for index, weight in enumerate(list(proto.graph.initializer)):
        proto.graph.node.append(helper.make_node("Shape", [weight.name], [f"also_{index}"]))
        proto.graph.node.append(helper.make_node("Identity", [weight.name], [f"copy_{index}"]))
        proto.graph.output.append(helper.make_tensor_value_info(f"copy_{index}", weight.data_type, list(weight.dims)))


def _weights_behind_identity(proto: ModelProto) -> None:
    """Every weight reaches its readers through an Identity, as exporters write shared ones."""
    graph = proto.graph
    names = {t.name for t in graph.initializer}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in names:
                node.input[index] = f"{name}_alias"
    aliases = [helper.make_node("Identity", [name], [f"{name}_alias"]) for name in sorted(names)]
    _replace_nodes(graph, [*aliases, *graph.node])


def _custom_neighbour(proto: ModelProto) -> None:
    """An operator nobody knows reads every output, and feeds nothing that matters."""
    proto.opset_import.append(helper.make_opsetid("nobody.knows", 1))
    names = [v.name for v in proto.graph.output]
    proto.graph.node.append(helper.make_node("Mystery", names, ["mystery"], domain="nobody.knows"))
    proto.graph.output.append(helper.make_tensor_value_info("mystery", TensorProto.FLOAT, [1]))


_CHANGES: dict[str, Callable[[ModelProto], None]] = {
    "plain": _plain,
    "in_if": _in_if,
    "in_loop": _in_loop,
    "dynamic_batch": _dynamic_batch,
    "one_name": _one_name,
    "tapped": _tapped,
    "shared_weights": _shared_weights,
    "weights_behind_identity": _weights_behind_identity,
    "custom_neighbour": _custom_neighbour,
}
VARIANTS = tuple(_CHANGES)


def model_in(variant: str, source: str | ModelProto, *, opset: int = 17) -> Model:
    """The model of ``source`` (ONNX text, or a proto that is changed), loaded from the form that ``variant`` names.

    Names of inner values and weights in it must not start with ``then_branch_``, ``else_branch_`` or ``body_``.
    """
    proto = proto_of(source, opset=opset) if isinstance(source, str) else source
    _CHANGES[variant](proto)
    return Model.load(proto)


def runs(variant: str) -> bool:
    """Whether onnxruntime can run the variant."""
    return variant != "custom_neighbour"


def _body(graph: GraphProto, prefix: str) -> GraphProto:
    """The nodes of ``graph`` as a body; what they compute gets new names, what they read from outside stays."""
    made = {name for node in graph.node for name in node.output if name}
    nodes = [_renamed(node, made, prefix) for node in graph.node]
    outputs = []
    for info in graph.output:
        copy = ValueInfoProto()
        copy.CopyFrom(info)
        copy.name = prefix + info.name
        outputs.append(copy)
    return helper.make_graph(nodes, prefix + "graph", [], outputs)


def _renamed(node: NodeProto, made: set[str], prefix: str) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.output[:] = [prefix + n if n else n for n in node.output]
    _reread(copy, made, prefix)
    return copy


def _reread(node: NodeProto, made: set[str], prefix: str) -> None:
    """Read ``made`` under its new names, in the bodies of ``node``, too."""
    node.input[:] = [prefix + n if n in made else n for n in node.input]
    for body in (a.g for a in node.attribute if a.type == AttributeProto.GRAPH):
        for inner in body.node:
            _reread(inner, made, prefix)


def _replace_nodes(graph: GraphProto, nodes: list[onnx.NodeProto]) -> None:
    nodes = list(nodes)
    del graph.node[:]
    graph.node.extend(nodes)
