"""Questions that matching asks, each of which refuses with a sentence when the answer is no."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.ir.infer import dims
from surgery.rewrite.rule import Context, Mismatch


def producer(node: Node, index: int, *op: str, ctx: Context | None = None) -> Node:
    """The node that computes input ``index``, of one of the types ``op``.

    With ``ctx``, nothing but ``node`` may read its output (so that it can be removed).
    """
    tensor = present(node, index)
    source = tensor.producer
    if source is None or source.op not in op or not source.is_onnx:
        found = "a constant" if isinstance(tensor, Constant) else source.op if source else "a graph input"
        raise Mismatch(f"input {index} comes from {found}, it must come from {' or '.join(op)}", node)
    if ctx is not None:
        sole_reader(tensor, node, ctx)
    return source


def sole_reader(tensor: Tensor, node: Node, ctx: Context) -> None:
    """Nothing but ``node`` reads ``tensor``, and no graph returns it."""
    others = [n for n in tensor.consumers if n is not node]
    if others:
        raise Mismatch(f"{tensor.name!r} is also read by {others[0].name!r}, one reader must be the only one", node)
    if ctx.is_output(tensor):
        raise Mismatch(f"{tensor.name!r} is also a graph output", node)


def consumer(node: Node, *op: str, ctx: Context) -> Node:
    """The only reader of the only output of ``node``, of one of the types ``op``."""
    value = node.outputs[0]
    if ctx.is_output(value):
        raise Mismatch(f"{value.name!r} is a graph output, it must be read by {' or '.join(op)} alone", node)
    readers = value.consumers
    if len(readers) != 1 or readers[0].op not in op or not readers[0].is_onnx:
        found = ", ".join(sorted({n.op for n in readers})) or "nothing"
        raise Mismatch(f"{value.name!r} is read by {found}, it must be read by one {' or '.join(op)}", node)
    return readers[0]


def present(node: Node, index: int) -> Tensor:
    """Input ``index``, which must be there."""
    tensor = node.input(index)
    if tensor is None:
        raise Mismatch(f"input {index} is absent", node)
    return tensor


def constant(node: Node, index: int) -> np.ndarray[Any, Any]:
    """The array of constant input ``index``."""
    tensor = present(node, index)
    if not isinstance(tensor, Constant):
        raise Mismatch(f"input {index} ({tensor.name!r}) must be constant", node)
    if tensor.weight.missing:
        raise Mismatch(f"the weights of {tensor.name!r} are not there", node)
    return tensor.values


def static(tensor: Tensor, node: Node) -> tuple[int, ...]:
    """The shape of ``tensor``, of which every dim must be known."""
    shape = ops.static_shape(tensor)
    if shape is None:
        raise Mismatch(f"{tensor.name!r} has the shape {dims(tensor.shape)}, every dim must be known", node)
    return shape


def rank(tensor: Tensor, node: Node, *allowed: int) -> int:
    """The rank of ``tensor``, one of ``allowed`` when any are named."""
    if tensor.rank is None or (allowed and tensor.rank not in allowed):
        wanted = " or ".join(map(str, allowed)) or "known"
        raise Mismatch(f"{tensor.name!r} has rank {tensor.rank}, it must be {wanted}", node)
    return tensor.rank


def dtype(tensor: Tensor, node: Node, kinds: str = "f") -> np.dtype[Any]:
    """The dtype of ``tensor``, whose numpy kind must be among ``kinds``."""
    if tensor.dtype is None or tensor.dtype.kind not in kinds:
        raise Mismatch(f"{tensor.name!r} has dtype {tensor.dtype}, its kind must be one of {kinds!r}", node)
    return tensor.dtype


def value(tensor: Tensor, node: Node) -> Value:
    """``tensor``, which must not be a constant."""
    if isinstance(tensor, Constant):
        raise Mismatch(f"{tensor.name!r} is constant", node)
    return tensor
