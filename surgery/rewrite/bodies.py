"""Types that cross the border of a body: what is made in one half of a rewrite is asked about in the other."""

from __future__ import annotations

import numpy as np

from surgery.ir import Graph, Node, Tensor, Value


def enter(node: Node, body: Graph) -> None:
    """Give the inputs of a body of ``node`` (If, Loop, Scan) the dtypes of what ``node`` hands to them.

    The first two of a Loop are its count and its condition, which onnxruntime wants to be known as scalars.
    """
    handed: list[Tensor] = list(node.inputs) if node.op == "Scan" else node.inputs[2:]
    formal = body.inputs if node.op == "Scan" else body.inputs[2:]
    for value, given in zip(formal, handed, strict=False):
        _retype(value, given)
    for value, kind in zip(body.inputs[:2], (np.int64, np.bool_), strict=False):
        if node.op == "Loop" and isinstance(value, Value):
            value.dtype, value.shape = np.dtype(kind), ()


def leave(node: Node) -> None:
    """Give the outputs of an If the dtypes that all its branches return, and the shapes where they agree."""
    if node.op != "If":
        return
    for value, *returned in zip(node.outputs, *(body.outputs for body in node.bodies()), strict=True):
        dtypes, shapes = {t.dtype for t in returned}, {t.shape for t in returned}
        if len(dtypes) == 1:
            value.dtype = dtypes.pop()
        if len(shapes) == 1:
            value.shape = shapes.pop()


def _retype(value: Tensor, given: Tensor) -> None:
    if isinstance(value, Value):
        value.dtype = given.dtype
