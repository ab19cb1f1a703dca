"""Whether inference of a whole model is to find anything, judged by the nodes that changed since it was done last."""

from __future__ import annotations

from collections.abc import Iterable

from surgery.ir.graph import Graph, Node, Tensor
from surgery.ir.infer_node import infer_node


def is_settled(main: Graph, changed: Iterable[Node], opset: int) -> bool:
    """Whether inference of ``main`` would give no value another type, those of ``changed`` looked at alone.

    What did not change computes from the same operands what it computed before. That says nothing of integers, whose
    values inference follows through the graph, nor of dims without a number, nor inside bodies: then it is false.
    """
    return all(_is_as_stated(node, main, opset) for node in changed if node.graph is not None)


def _is_as_stated(node: Node, main: Graph, opset: int) -> bool:
    computed = [v for v in node.outputs if v.name]
    if node.graph is not main or not all(map(_is_known, (*node.inputs, *computed))):
        return False
    if any(v.dtype is None or v.dtype.kind in "iub" for v in computed):
        return False
    types = zip(node.outputs, infer_node(node, opset), strict=True)
    return all((v.dtype, v.shape) == found for v, found in types if v.name)


def _is_known(tensor: Tensor) -> bool:
    return not tensor.name or (tensor.dtype is not None and tensor.is_static)
