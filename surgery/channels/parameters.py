"""What nodes state about sizes, and how it reads after channels have gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from surgery.channels.moves import slices
from surgery.ir import Constant, Node, Tensor, ops

if TYPE_CHECKING:
    from surgery.ir.edit import Editor

SIZES_AS_INPUT = 13
"""Opset from which Split takes its sizes as an input."""


class Masks(Protocol):
    """What stays of an axis."""

    def mask(self, tensor: Tensor, axis: int, node: Node) -> NDArray[np.bool_]:
        """Of every index of an axis of what ``node`` reads or computes, whether it stays."""

    def changed(self, tensor: Tensor, node: Node) -> Mapping[int, NDArray[np.bool_]]:
        """The axes of which something goes, each with its mask."""

    def ints(self, base: str, values: list[int]) -> Constant:
        """A new constant of int64 values, rank 1, named after ``base``."""

    @property
    def opset(self) -> int:
        """Version of the default domain."""

    @property
    def editor(self) -> Editor:
        """What records the edits."""


def groups(node: Node, masks: Masks) -> None:
    """A depthwise layer has as many groups as input channels."""
    channels, count = masks.mask(node.inputs[0], 1, node), int(ops.attr(node, "group", 1))
    if count > 1 and count == len(channels):
        masks.editor.set_attr(node, "group", int(channels.sum()))


def split_sizes(node: Node, masks: Masks) -> None:
    """The parts as large as what stays of each."""
    axis = ops.axis(node, 0)
    sizes = [int(masks.mask(y, axis, node).sum()) for y in node.outputs]
    if masks.opset < SIZES_AS_INPUT:
        masks.editor.set_attr(node, "split", sizes)
        return
    masks.editor.set_input(node, 1, masks.ints(f"{node.name}/split", sizes))
    if "num_outputs" in node.attrs:
        masks.editor.set_attr(node, "num_outputs", None)


def slice_bounds(node: Node, masks: Masks) -> None:
    """The range from the first to the last index of it that stays."""
    x, ranges = node.inputs[0], slices(node)
    bounds = {axis: (r.start, r.stop) for axis, r in ranges.items()}
    for axis, mask in masks.changed(x, node).items():
        if axis in ranges:
            start, stop, _ = ranges[axis].indices(len(mask))
            bounds[axis] = (int(mask[:start].sum()), int(mask[: max(start, stop)].sum()))
    for index, name in enumerate(("starts", "ends")):
        _state(node, name, 1 + index, [_end(b[index]) for b in bounds.values()], masks)


def _end(bound: int | None) -> int:
    return -(2**63) + 1 if bound is None else bound


def picks(node: Node, masks: Masks) -> None:
    """The places at which what is picked stands afterwards."""
    axis, indices = ops.axis(node, 0), ops.constant(node.input(1))
    if indices is None or indices.ndim != 1:
        return
    mask = masks.mask(node.inputs[0], axis, node)
    place, left = np.cumsum(mask) - 1, np.arange(len(mask))[indices]
    masks.editor.set_input(node, 1, masks.ints(f"{node.name}/indices", place[left[mask[left]]].tolist()))


def output_sizes(index: int) -> Callable[[Node, Masks], None]:
    """For a node whose constant input ``index`` states the sizes of its output: those as they are afterwards."""

    def state(node: Node, masks: Masks) -> None:
        stated = ops.ints(node, "shape", index)
        changed = masks.changed(node.outputs[0], node)
        if stated is None or not changed:
            return
        lead = (node.outputs[0].rank or 0) - len(stated)
        for axis, mask in changed.items():
            if axis >= lead and stated[axis - lead] == len(mask):
                stated[axis - lead] = int(mask.sum())
        _state(node, "shape", index, stated, masks)

    return state


def _state(node: Node, name: str, index: int, values: list[int], masks: Masks) -> None:
    """Write integers where the node has them: in an attribute, or in a constant input."""
    if name in node.attrs:
        masks.editor.set_attr(node, name, values)
    else:
        masks.editor.set_input(node, index, masks.ints(f"{node.name}/{name}", values))


PARAMETERS: dict[str, Callable[[Node, Masks], None]] = {
    "Conv": groups,
    "ConvTranspose": groups,
    "Split": split_sizes,
    "Slice": slice_bounds,
    "Gather": picks,
    "Reshape": output_sizes(1),
    "Expand": output_sizes(1),
    "Resize": output_sizes(3),
}
"""What to write anew, by operator."""
