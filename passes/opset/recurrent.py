"""LSTM, GRU and RNN with the batch in front."""

from __future__ import annotations

from passes.opset.base import Form
from surgery.ir import Node, Tensor, Value, ops
from surgery.rewrite import Rewriter, build

SEQUENCE_FIRST = (1, 0, 2)
"""From [batch, time, size] to [time, batch, size], and back; of a state, from [batch, direction, size]."""
ALL_STATES = (2, 0, 1, 3)
"""From [time, direction, batch, size] to [batch, time, direction, size]."""


def time_first(node: Node, rw: Rewriter) -> None:
    """``layout=1``: Transposes around a node with the time in front."""
    if not ops.attr(node, "layout", 0):
        return
    inputs: list[Tensor | None] = [node.input(i) for i in range(len(node.inputs))]
    for index in (0, 5, 6):
        if index < len(inputs) and (tensor := inputs[index]) is not None:
            inputs[index] = build.transpose(rw, tensor, SEQUENCE_FIRST)
    attrs = {name: value for name, value in node.attrs.items() if name != "layout"}
    count = len(node.outputs)
    made = rw.multi(node.op, *inputs, outputs=count, heir=node, **attrs)
    orders = (ALL_STATES, SEQUENCE_FIRST, SEQUENCE_FIRST)
    rw.replace(node, *(_back(rw, old, new, o) for old, new, o in zip(node.outputs, made, orders, strict=False)))


def _back(rw: Rewriter, old: Value, new: Value, order: tuple[int, ...]) -> Value:
    return new if old.is_empty() else build.transpose(rw, new, order)


FORMS = {op: (Form(14, time_first),) for op in ("LSTM", "GRU", "RNN")}
"""These operators."""
