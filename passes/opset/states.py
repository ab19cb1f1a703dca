"""Operators that learnt to train, and casts."""

from __future__ import annotations

from passes.opset.base import Form, drop, keep_inputs, known
from surgery.ir import Node, ops
from surgery.rewrite import Mismatch, Rewriter


def at_inference(node: Node, rw: Rewriter) -> None:
    """``Dropout``: the ratio becomes an attribute, whether it trains must be known and false."""
    training = known(node, 2, "training_mode")
    if training is not None and bool(training.reshape(())):
        raise Mismatch("training_mode is set, older opsets have no Dropout that drops", node)
    if len(node.outputs) > 1 and (node.outputs[1].outputs or rw.is_output(node.outputs[1])):
        raise Mismatch(f"the mask {node.outputs[1].name!r} is read, which is of another kind in older opsets", node)
    ratio = known(node, 1, "ratio")
    keep_inputs(node, 1, rw)
    if ratio is not None:
        rw.editor.set_attr(node, "ratio", float(ratio.reshape(())))


def with_statistics(node: Node, rw: Rewriter) -> None:
    """``BatchNormalization``: only with the statistics it is given."""
    if ops.attr(node, "training_mode", 0):
        raise Mismatch("training_mode is set, older opsets have no BatchNormalization that trains", node)
    drop(node, "training_mode", rw)


FORMS = {
    "BatchNormalization": (Form(14, with_statistics),),
    "Dropout": (Form(12, at_inference),),
}
"""These operators."""
