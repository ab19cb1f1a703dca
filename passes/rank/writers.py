"""Operators that are written at rank 4 alike in every layout."""

from __future__ import annotations

from collections.abc import Sequence

from passes.rank.operators import BINARY, UNARY
from passes.rank.region import Lifted, Writer, values
from surgery.ir import Constant, Node, Tensor
from surgery.ir.infer import dims
from surgery.rewrite import Mismatch, need


def _numbers(node: Node) -> None:
    """Further inputs are constants."""
    for index in range(1, len(node.inputs)):
        if node.input(index) is not None:
            need.constant(node, index)


def _unary(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    return [lifted.rw.op(node.op, lifted.get(node.inputs[0]), *node.inputs[1:], **node.attrs)]


def _meeting(node: Node) -> None:
    """Values are of the shape of the result, which constants do not enlarge."""
    result = node.outputs[0]
    if any(isinstance(t, Constant) and t.rank > (result.rank or 0) for t in node.inputs):
        raise Mismatch(f"a constant has a rank above the {result.rank} of the result", node)
    for value in values(node):
        if value.shape != result.shape:
            raise Mismatch(f"{dims(value.shape)} meets {dims(result.shape)}, the shapes must be equal", node)


def _binary(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    return [lifted.rw.op(node.op, *(lifted.operand(t, node.outputs[0]) for t in node.inputs), **node.attrs)]


ELEMENTWISE = {
    **dict.fromkeys(UNARY, Writer(_numbers, _unary)),
    **dict.fromkeys(BINARY, Writer(_meeting, _binary)),
}
"""What works on every element by itself."""
