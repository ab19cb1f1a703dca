"""Shape of some dims only."""

from __future__ import annotations

from passes.opset.base import Form, drop
from surgery.ir import Node, ops
from surgery.rewrite import Rewriter, build

END = (1 << 63) - 1


def part_of_shape(node: Node, rw: Rewriter) -> None:
    """``Shape`` from ``start`` to ``end``: the part is cut out of the whole."""
    start, end = ops.attr(node, "start", 0), ops.attr(node, "end", END)
    if start == 0 and end == END:
        drop(node, "start", rw)
        return
    whole = rw.op("Shape", node.inputs[0])
    rw.replace(node, build.slice_(rw, whole, [0], [start], [end]))


FORMS = {"Shape": (Form(15, part_of_shape),)}
"""This operator."""
