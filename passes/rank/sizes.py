"""How large a constant may become."""

from __future__ import annotations

from surgery.ir import Constant, Node, Tensor
from surgery.rewrite import Context, Mismatch

FREE = 1 << 16
"""Bytes of a constant that are never too many."""


def fits(elements: int, like: Tensor, node: Node, ctx: Context) -> None:
    """A constant of so many elements of the dtype of ``like`` is no larger than all constants of the model."""
    size = elements * (like.dtype.itemsize if like.dtype is not None else 4)
    if size > FREE and size > (held := weight_bytes(ctx)):
        raise Mismatch(f"needs a constant of {size} bytes, more than the {held} bytes of weights in the model", node)


def weight_bytes(ctx: Context) -> int:
    """Bytes of all constants of the model, each counted once."""
    tensors = (t for graph in ctx.main.walk() for node in graph.nodes for t in node.inputs)
    return sum(t.nbytes for t in dict.fromkeys(tensors) if isinstance(t, Constant))
