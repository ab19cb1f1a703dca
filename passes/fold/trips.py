"""How often a Loop runs, where that follows from constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx

from surgery.ir import Constant, Graph, Node, Tensor
from surgery.ir.exporter import Exporter, Weights
from surgery.ir.session import Session, SessionError
from surgery.ir.sort import reads
from surgery.rewrite import Mismatch

COUNT = "count"
"""Name of the output that holds the number of each iteration."""


def trips(node: Node, opset: int, limit: int) -> int:
    """How often the Loop ``node`` runs; of one that a condition ends, ``limit + 1`` stands for all beyond.

    Where the condition is computed in the body, onnxruntime runs the part of the body that decides it.

    Raises:
        Mismatch: only a run of the model can tell.
    """
    count, going = _given(node, 0, "trip count"), _given(node, 1, "condition")
    if going is False or (count is not None and count < 1):
        return 0
    stays = _stays(node.attrs["body"])
    if stays is False:
        return 1
    if stays is None:
        return _run(node, opset, limit + 1 if count is None else min(count, limit + 1))
    if count is None:
        raise Mismatch("it has no trip count, and its condition stays true: it never ends", node)
    return count


def _given(node: Node, index: int, what: str) -> int | bool | None:
    """The constant input ``index``, None when it is omitted."""
    tensor = node.input(index)
    if tensor is None:
        return None
    if not isinstance(tensor, Constant):
        raise Mismatch(f"its {what} {tensor.name!r} is computed at run time, it must be constant", node)
    value: int | bool = tensor.values.reshape(()).item()
    return value


def _stays(body: Graph) -> bool | None:
    """What the body says of going on, where it is the same each time; None where that is computed."""
    tensor = body.outputs[0]
    while (source := tensor.producer) is not None and source.op == "Identity" and source.graph is body:
        tensor = source.inputs[0]
    if tensor is body.inputs[1]:
        return True
    return bool(tensor.values.reshape(())) if isinstance(tensor, Constant) else None


def _run(node: Node, opset: int, most: int) -> int:
    """The number of iterations when what decides about them is run, ``most`` times at most."""
    nodes, states = _deciding(node)
    body = node.attrs["body"]
    part = Graph("part")
    part.nodes = [n for n in body.nodes if n in nodes]
    part.inputs = [*body.inputs[:2], *(body.inputs[2 + k] for k in states)]
    part.outputs = [body.outputs[0], *(body.outputs[1 + k] for k in states)]
    try:
        proto = _alone(node, Exporter(Weights.INLINE, opset).main(part), states, opset, most)
        return len(Session(proto.SerializeToString(), {}, "a loop").run({})[COUNT])
    except SessionError as error:
        raise Mismatch(f"how often it runs cannot be computed: {error.what}", node) from error


def _alone(node: Node, body: onnx.GraphProto, states: Sequence[int], opset: int, most: int) -> onnx.ModelProto:
    """A model of the Loop with ``body``, that returns the numbers of its iterations."""
    body.node.append(onnx.helper.make_node("Identity", [body.input[0].name], [COUNT]))
    body.output.append(onnx.ValueInfoProto(name=COUNT, type=body.input[0].type))
    given = [node.inputs[2 + k] for k in states]
    weights = [t.weight.to_proto(f"state_{i}") for i, t in enumerate(given) if isinstance(t, Constant)]
    most_ = onnx.numpy_helper.from_array(np.array(most, np.int64), "most")
    outputs = [*(f"final_{i}" for i in range(len(given))), COUNT]
    loop = onnx.helper.make_node("Loop", ["most", "", *(w.name for w in weights)], outputs, body=body)
    ends = [onnx.ValueInfoProto(name=COUNT)]
    graph = onnx.helper.make_graph([loop], "loop", [], ends, [most_, *weights])
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", opset)])


def _deciding(node: Node) -> tuple[set[Node], list[int]]:
    """The nodes of the body that decide whether it goes on, and which of what it carries they need.

    Raises Mismatch when they read anything that is not constant at the start.
    """
    body: Graph = node.attrs["body"]
    carried = {t: k for k, t in enumerate(body.inputs[2:])}
    nodes, states, seen = set[Node](), set[int](), set[Tensor]()
    stack: list[Tensor] = [body.outputs[0]]
    while stack:
        tensor = stack.pop()
        if tensor in seen or isinstance(tensor, Constant) or tensor.is_empty() or tensor in body.inputs[:2]:
            continue
        seen.add(tensor)
        if tensor in carried:
            states.add(carried[tensor])
            _need_constant(node, node.input(2 + carried[tensor]))
            stack.append(body.outputs[1 + carried[tensor]])
        elif (source := tensor.producer) is not None and source.graph is body:
            nodes.add(source)
            stack.extend(_from_here(source))
        else:
            _need_constant(node, tensor)
    return nodes, sorted(states)


def _from_here(node: Node) -> Iterator[Tensor]:
    """What ``node`` and its bodies read, but for what these make themselves."""
    inside = {
        t for body in node.bodies() for g in body.walk() for t in (*g.inputs, *(v for n in g.nodes for v in n.outputs))
    }
    yield from (t for t in reads(node) if t not in inside)


def _need_constant(node: Node, tensor: Tensor | None) -> None:
    if not isinstance(tensor, Constant):
        name = "nothing" if tensor is None else repr(tensor.name)
        raise Mismatch(f"its condition depends on {name}, which is computed at run time", node)
