"""Whether inference of a whole model is to find anything, judged by the nodes that changed since it was done last."""

from __future__ import annotations

from collections.abc import Iterable

from surgery.ir.graph import Graph, Node, Shape, Tensor, Value
from surgery.ir.infer import sharpens
from surgery.ir.infer_node import infer_node


def is_settled(main: Graph, changed: Iterable[Node], opset: int) -> bool:
    """Whether inference of ``main`` would give no value another type, those of ``changed`` looked at alone.

    What did not change computes from the same operands what it computed before. That says nothing of integers, whose
    values inference follows through the graph, nor of dims without a number, nor inside bodies: then it is false.
    An output of the graph that no node reads keeps what it is stated with, unless that is wrong.
    """
    return all(_is_as_stated(node, main, opset) for node in changed if node.graph is not None)


def _is_as_stated(node: Node, main: Graph, opset: int) -> bool:
    computed = [v for v in node.outputs if v.name]
    if node.graph is not main or not all(map(_is_known, node.inputs)):
        return False
    if any(v.dtype is None or v.dtype.kind in "iub" for v in computed):
        return False
    types = zip(node.outputs, infer_node(node, opset), strict=True)
    return all(v.dtype == dtype and _stays(v, shape, main) for v, (dtype, shape) in types if v.name)


def _stays(value: Value, found: Shape | None, main: Graph) -> bool:
    if value.outputs or not main.is_output(value):
        return value.is_static and value.shape == found
    return value.shape is not None and found is not None and sharpens(value.shape, found)


def _is_known(tensor: Tensor) -> bool:
    return not tensor.name or (tensor.dtype is not None and tensor.is_static)
