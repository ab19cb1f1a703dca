"""What the forms share: their shape, and the edits they make in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Exactness, Mismatch, Rewriter

Restate = Callable[[Node, Rewriter], "Exactness | None"]


@dataclass(frozen=True)
class Form:
    """How one operator is carried over the boundary at opset ``since``.

    ``by`` edits the node, or puts others in its place, in the opset of the rewriter; it raises Mismatch where the
    other side has no such form, and returns its promise where that is not EXACT.
    """

    since: int
    by: Restate

    def restate(self, node: Node, rw: Rewriter) -> Exactness:
        """Do it; a node that an earlier step put others in place of is left alone."""
        promise = None if node.graph is None else self.by(node, rw)
        return promise or Exactness.EXACT


def known(node: Node, index: int, what: str) -> np.ndarray[Any, Any] | None:
    """The content of input ``index``, None where it is absent; it has to be constant."""
    tensor = node.input(index)
    if tensor is None:
        return None
    array = ops.constant(tensor)
    if array is None:
        raise Mismatch(f"{what} {tensor.name!r} is computed, it must be constant to become an attribute", node)
    return array


def keep_inputs(node: Node, count: int, rw: Rewriter) -> None:
    """Drop the inputs from ``count`` on, and omitted ones at the end."""
    kept: list[Tensor] = list(node.inputs[:count])
    while kept and kept[-1].is_empty():
        kept.pop()
    if len(kept) < len(node.inputs):
        rw.editor.set_inputs(node, kept)


def drop(node: Node, name: str, rw: Rewriter) -> None:
    """Remove an attribute if it is there."""
    if name in node.attrs:
        rw.editor.set_attr(node, name, None)


def ints_to_attr(node: Node, index: int, name: str, rw: Rewriter) -> None:
    """Make a constant input of integers, where there is one, an attribute; it must be the last input."""
    array = known(node, index, name)
    keep_inputs(node, index, rw)
    if array is not None:
        rw.editor.set_attr(node, name, [int(v) for v in array.reshape(-1)])


def attr_to_input(node: Node, index: int, name: str, rw: Rewriter, like: Tensor | None = None) -> None:
    """Make an attribute, where there is one, a constant input: int64, or of the dtype of ``like``."""
    value = node.attrs.get(name)
    if value is None:
        return
    drop(node, name, rw)
    made = rw.constant(np.asarray(value, np.int64 if like is None else like.dtype), name=f"{node.name}/{name}")
    rw.editor.set_input(node, index, made)


def is_one(tensor: Tensor | None) -> bool:
    """Whether a tensor holds one element, whatever its rank."""
    return tensor is not None and tensor.is_static and all(size == 1 for size in tensor.shape or ())


def scalar_constant(node: Node, index: int, rw: Rewriter) -> None:
    """Make a constant of one element rank 0."""
    tensor = node.input(index)
    if isinstance(tensor, Constant) and tensor.rank:
        rw.editor.set_input(node, index, rw.constant(tensor.values.reshape(()), name=tensor.name))
