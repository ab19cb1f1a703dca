"""Axes, splits and pads: inputs in newer opsets, attributes in older ones."""

from __future__ import annotations

import numpy as np

from passes.opset import wider
from passes.opset.base import Form, drop, ints_to_attr, keep_inputs, known
from surgery.ir import Node, ops
from surgery.rewrite import Mismatch, Rewriter, need


def axes_to_attr(node: Node, rw: Rewriter) -> None:
    """``Squeeze``, ``Unsqueeze`` and reductions: the axes become an attribute.

    With no axes and ``noop_with_empty_axes`` nothing is reduced: the node becomes an Identity.
    """
    noop = ops.attr(node, "noop_with_empty_axes", 0)
    given = known(node, 1, "axes")
    if noop and (given is None or not given.size):
        rw.editor.set_op(node, "Identity", {})
        keep_inputs(node, 1, rw)
        return
    if given is not None and not given.size:
        keep_inputs(node, 1, rw)
    ints_to_attr(node, 1, "axes", rw)
    drop(node, "noop_with_empty_axes", rw)


def split_to_attr(node: Node, rw: Rewriter) -> None:
    """``Split``: the sizes become an attribute."""
    ints_to_attr(node, 1, "split", rw)


def parts_to_sizes(node: Node, rw: Rewriter) -> None:
    """``Split`` into ``num_outputs`` parts, the last of which may be smaller: the sizes are stated."""
    if "num_outputs" not in node.attrs:
        return
    shape, axis = node.inputs[0].shape, ops.axis(node, 0)
    size = None if shape is None else shape[axis]
    if not isinstance(size, int):
        raise Mismatch(f"dim {size!r} of {node.inputs[0].name!r} is split in parts, it must be known", node)
    sizes = ops.split_sizes(node)
    drop(node, "num_outputs", rw)
    rw.editor.set_input(node, 1, rw.ints(sizes or []))


def pad_all_axes(node: Node, rw: Rewriter) -> None:
    """``Pad`` of some axes: pads of all axes."""
    axes = known(node, 3, "axes")
    if axes is None:
        keep_inputs(node, 3, rw)
        return
    pads = need.constant(node, 1).reshape(2, -1)
    rank = need.rank(node.inputs[0], node)
    full = np.zeros((2, rank), np.int64)
    full[:, axes.reshape(-1)] = pads
    keep_inputs(node, 3, rw)
    rw.editor.set_input(node, 1, rw.ints(full.reshape(-1).tolist()))


_SINCE_18 = ("L1", "L2", "LogSum", "LogSumExp", "Mean", "Prod", "SumSquare")

FORMS = {
    **{op: (Form(13, axes_to_attr),) for op in ("Squeeze", "Unsqueeze", "ReduceSum")},
    **{f"Reduce{name}": (Form(18, axes_to_attr),) for name in _SINCE_18},
    **{op: (Form(18, axes_to_attr), wider.EXTREMES) for op in ("ReduceMax", "ReduceMin")},
    "Split": (Form(18, parts_to_sizes), Form(13, split_to_attr)),
    "Pad": (Form(18, pad_all_axes),),
}
"""These operators."""
