"""A graph as a toolchain has it that takes operators apart whose parts run on different devices.

An InstanceNormalization of rows, rank 3, is two means and what is done with them. Of rows too long for a mean on the
BPU (the limit ``InstanceNormalization.row``) the means are on the CPU, and what lies between them is a segment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgery.ir.graph import Constant, Graph, Node, Tensor
from surgery.target.movers import dims, value_like
from surgery.target.shapes import Dims
from surgery.target.target import Target
from surgery.target.twin import Twin, Values

_NORM = "InstanceNormalization"


def taken_apart(graph: Graph, target: Target, opset: int) -> Twin | None:
    """The twin of ``graph`` where such operators are several nodes; None where there are none."""
    row = target.op(_NORM)
    if row is None or row.device != "bpu" or any(True for node in graph.nodes for _ in node.bodies()):
        return None
    apart = {node for node in graph.nodes if node.op == _NORM and _is_apart(node, target, opset)}
    if not apart:
        return None
    values = Values(graph.name)
    values.twin.graph.inputs = [values.held(tensor).source for tensor in graph.inputs]
    for node in graph.nodes:
        if node in apart:
            _take_apart(node, values)
        else:
            values.copy(node)
    values.twin.graph.outputs = [values.real(tensor) for tensor in graph.outputs]
    return values.twin


def _is_apart(node: Node, target: Target, opset: int) -> bool:
    return node.inputs[0].is_static and node.inputs[0].rank == 3 and target.verdict(node, opset).device == "cpu"


def _take_apart(node: Node, values: Values) -> None:
    """What is subtracted, squared, divided by its root, scaled and shifted."""
    data, full = values.real(node.inputs[0]), dims(node.inputs[0])
    rows = (*full[:2], 1)

    def part(op: str, inputs: Sequence[Tensor], shape: Dims, **attrs: object) -> Tensor:
        out = value_like(node.outputs[0], shape)
        last = op == "Add"
        out.name = node.outputs[0].name if last else f"{out.name}_{len(values.twin.graph.nodes)}"
        values.add(Node(op, "", attrs, list(inputs), [out]), node if last else None)
        return out

    each = Constant(f"{node.name}_each", np.ones((full[1], 1), node.outputs[0].dtype))
    rest = part("Sub", [data, part("ReduceMean", [data], rows, axes=[2], keepdims=1)], full)
    square = part("Mul", [rest, rest], full)
    root = part("Reciprocal", [part("ReduceMean", [square], rows, axes=[2], keepdims=1)], rows)
    scaled = part("Mul", [part("Mul", [rest, root], full), each], full)
    values.hold(node.outputs[0], part("Add", [scaled, each], full))
