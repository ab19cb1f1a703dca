"""Softmax, LogSoftmax, Hardmax: one axis from opset 13 on, before that all axes from one on, taken together."""

from __future__ import annotations

from passes.opset.base import Form
from surgery.ir import Node, ops
from surgery.rewrite import Exactness, Rewriter, build, need


def one_axis(node: Node, rw: Rewriter) -> Exactness | None:
    """The axis is brought to the end, unless every axis behind it has size 1."""
    value = node.inputs[0]
    rank = need.rank(value, node)
    axis = ops.axis(node, -1)
    behind = (value.shape or ())[axis + 1 :]
    if all(size == 1 for size in behind):
        rw.editor.set_attr(node, "axis", axis)
        return None
    order = [*(i for i in range(rank) if i != axis), axis]
    moved = build.transpose(rw, value, order)
    done = rw.op(node.op, moved, heir=node, axis=rank - 1)
    rw.replace(node, build.transpose(rw, done, [order.index(i) for i in range(rank)]))
    return Exactness.ROUNDING


FORMS = {op: (Form(13, one_axis),) for op in ("Softmax", "LogSoftmax", "Hardmax")}
"""These operators."""
