"""Resize: what it may leave out, and what it learnt in opset 18."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from passes.opset.base import Form, drop, known
from surgery.ir import Node, ops
from surgery.rewrite import Mismatch, Rewriter, need

Array: TypeAlias = "np.ndarray[Any, Any]"


def all_axes(node: Node, rw: Rewriter) -> None:
    """Scales or sizes of some axes: of all of them, stretched as they say."""
    policy = ops.attr(node, "keep_aspect_ratio_policy", "stretch")
    if policy != "stretch" and node.input(3) is not None:
        raise Mismatch(f"keep_aspect_ratio_policy={policy}, older opsets only stretch", node)
    drop(node, "keep_aspect_ratio_policy", rw)
    axes = node.attrs.get("axes")
    if axes is None:
        return
    drop(node, "axes", rw)
    rank = need.rank(node.inputs[0], node)
    places = [int(a) % rank for a in axes]
    if (scales := known(node, 2, "scales")) is not None and scales.size:
        rw.editor.set_input(node, 2, rw.constant(_spread(np.ones(rank, np.float32), places, scales)))
    if (sizes := known(node, 3, "sizes")) is not None and sizes.size:
        whole = np.array(need.static(node.inputs[0], node), np.int64)
        rw.editor.set_input(node, 3, rw.constant(_spread(whole, places, sizes)))
    if node.input(1) is not None and ops.attr(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise Mismatch("a region of some axes only (roi with axes), it must be of all axes", node)


def _spread(whole: Array, places: list[int], part: Array) -> Array:
    whole[places] = part.reshape(-1)
    return whole


def inputs_stated(node: Node, rw: Rewriter) -> None:
    """Region and scales may not be left out: empty ones are stated."""
    for index in (1, 2):
        if node.input(index) is None:
            rw.editor.set_input(node, index, rw.constant(np.zeros(0, np.float32), name=f"{node.name}/none"))


FORMS = {"Resize": (Form(18, all_axes), Form(13, inputs_stated))}
"""This operator."""
