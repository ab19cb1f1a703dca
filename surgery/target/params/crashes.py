"""Patterns of several nodes on which the toolchain's compiler dies without a message; all seen, none documented."""

from __future__ import annotations

from collections.abc import Iterator

from surgery.ir.graph import Constant, Node, Tensor
from surgery.target.params.core import Params, around

_STEPS = 6
"""How far the walks below look; the patterns seen are shorter."""


@around
def short_constant_crash(p: Params) -> bool:
    """Whether a constant of rank 1..3 meets a rank-4 value where the compiler dies of it.

    It is the bias between two products by constants of which the second ends at the graph's output. A constant of
    rank 4 cures it, and so does an activation between the bias and the second product.
    """
    data = _short_constant_operand(p.node)
    return data is not None and _is_bias_of_last_products(p.node, data)


def _short_constant_operand(node: Node) -> Tensor | None:
    """The rank-4 operand beside a constant of rank 1..3, None where there is no such pair."""
    if len(node.inputs) != 2:
        return None
    for constant, data in (node.inputs, node.inputs[::-1]):
        if isinstance(constant, Constant) and 1 <= constant.rank <= 3 and data.rank == 4:
            return data
    return None


def _is_bias_of_last_products(node: Node, data: Tensor) -> bool:
    if node.op != "Add" or not any(_is_constant_product(maker) for maker in _back(data, {"Relu", "Sigmoid"})):
        return False
    readers = node.outputs[0].outputs
    return len(readers) == 1 and _is_constant_product(readers[0]) and _ends(readers[0])


def _is_constant_product(node: Node) -> bool:
    return node.op == "MatMul" and isinstance(node.input(1), Constant)


def _ends(node: Node) -> bool:
    """Whether the graph gives out the result of ``node``, at most an activation behind it."""
    out = node.outputs[0]
    if node.graph is not None and node.graph.is_output(out):
        return True
    return len(out.outputs) == 1 and out.outputs[0].op in ("Relu", "Sigmoid") and _ends(out.outputs[0])


def _back(tensor: Tensor, through: set[str]) -> Iterator[Node]:
    """The node that makes ``tensor``, and those before it as long as they are of the kinds ``through``."""
    for _ in range(_STEPS):
        node = tensor.producer
        if node is None:
            return
        yield node
        if node.op not in through:
            return
        tensor = next((t for t in node.inputs if not isinstance(t, Constant)), node.inputs[0])
