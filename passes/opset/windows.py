"""Pooling, whose newer forms count windows that start on the padding differently, and sum in another order."""

from __future__ import annotations

from passes.opset import wider
from passes.opset.base import Form
from surgery.ir import Node, ops
from surgery.ir.infer import dims
from surgery.ir.infer_node import infer_node
from surgery.rewrite import Exactness, Mismatch, Rewriter


def same_windows(node: Node, rw: Rewriter) -> None:
    """With ``ceil_mode`` the older form has to come to the same number of windows."""
    if not ops.attr(node, "ceil_mode", 0):
        return
    value = node.outputs[0]
    found = infer_node(node, rw.opset)[0][1]
    if not value.is_static or found != value.shape:
        raise Mismatch(
            f"with ceil_mode {value.name!r} has the shape {dims(value.shape)}, in opset {rw.opset} {dims(found)}", node
        )


def averaged(node: Node, rw: Rewriter) -> Exactness:
    """``AveragePool``: onnxruntime has another kernel for the older form, which sums in another order."""
    same_windows(node, rw)
    return Exactness.ROUNDING


FORMS = {
    "AveragePool": (Form(22, same_windows), Form(19, averaged)),
    "LpPool": (Form(18, same_windows),),
    "MaxPool": (Form(22, same_windows), wider.WINDOWS),
}
"""These operators."""
