"""From the forms of opsets 7 to 10 to those of opset 11: attributes that became inputs, and Upsample."""

from __future__ import annotations

import numpy as np

from passes.opset.base import Form, attr_to_input, drop
from surgery.ir import Node, ops
from surgery.rewrite import Mismatch, Rewriter


def slice_inputs(node: Node, rw: Rewriter) -> None:
    """``Slice``: starts, ends and axes become inputs."""
    for index, name in enumerate(("starts", "ends", "axes"), start=1):
        attr_to_input(node, index, name, rw)


def pad_inputs(node: Node, rw: Rewriter) -> None:
    """``Pad``: pads and value become inputs."""
    attr_to_input(node, 1, "pads", rw)
    if ops.attr(node, "mode", "constant") == "constant" and node.attrs.get("value"):
        attr_to_input(node, 2, "value", rw, like=node.inputs[0])
    drop(node, "value", rw)


def clip_inputs(node: Node, rw: Rewriter) -> None:
    """``Clip``: the bounds become inputs."""
    for index, name in enumerate(("min", "max"), start=1):
        attr_to_input(node, index, name, rw, like=node.inputs[0])


def count_input(node: Node, rw: Rewriter) -> None:
    """``TopK``: k becomes an input."""
    if "k" in node.attrs:
        rw.editor.set_attr(node, "k", [int(node.attrs["k"])])
        attr_to_input(node, 1, "k", rw)


def scales_input(node: Node, rw: Rewriter) -> None:
    """``Upsample``: the scales become an input."""
    attr_to_input(node, 1, "scales", rw, like=rw.constant(np.zeros(0, np.float32)))


def asymmetric(node: Node, rw: Rewriter) -> None:
    """``Upsample``, and ``Resize`` of opset 10: Resize with asymmetric coordinates that takes the point below."""
    nothing = rw.constant(np.zeros(0, np.float32), name=f"{node.name}/none")
    attrs = {**node.attrs, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    rw.editor.set_inputs(node, [node.inputs[0], nothing, node.inputs[1]])
    rw.editor.set_op(node, "Resize", attrs)


def per_channel(node: Node, rw: Rewriter) -> None:
    """``BatchNormalization``: only with one mean per channel."""
    if not ops.attr(node, "spatial", 1):
        raise Mismatch("spatial=0 has a mean per place, newer opsets have one per channel", node)
    drop(node, "spatial", rw)


def no_batch(node: Node, _: Rewriter) -> None:
    """``Scan`` of opset 8 has a batch axis and lengths, later ones have not."""
    raise Mismatch("it is the Scan of opset 8, which goes over a batch, newer ones do not", node)


FORMS = {
    "BatchNormalization": (Form(9, per_channel),),
    "Clip": (Form(11, clip_inputs),),
    "Pad": (Form(11, pad_inputs),),
    "Resize": (Form(11, asymmetric),),
    "Scan": (Form(9, no_batch),),
    "Slice": (Form(10, slice_inputs),),
    "TopK": (Form(10, count_input),),
    "Upsample": (Form(9, scales_input), Form(10, asymmetric)),
}
"""These operators, oldest boundary first."""
