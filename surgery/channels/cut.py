"""Taking channels out of a graph: weights, shapes, and what nodes state about sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surgery.channels.analysis import Channels
from surgery.channels.parameters import PARAMETERS
from surgery.channels.ties import Block
from surgery.ir import Constant, Node, Tensor, Value, Weight
from surgery.ir.edit import Editor
from surgery.ir.graph import Dim
from surgery.ir.store import Absent

Mask = NDArray[np.bool_]


@dataclass
class Cut:
    """One way to take units out.

    Attributes:
        channels: of the graph.
        gone: the units that go.
        editor: records the edits.
        opset: version of the default domain.
        name: makes the name of a new tensor from that of the old one.
        sizes_only: give weights their new shapes without their bytes, to ask what the result would cost.
    """

    channels: Channels
    gone: Collection[int]
    editor: Editor
    opset: int
    name: Callable[[str], str]
    sizes_only: bool = False
    _stays: Mask = field(init=False)

    def __post_init__(self) -> None:
        self._stays = self.channels.stays(self.gone)

    def mask(self, tensor: Tensor, axis: int, node: Node) -> Mask:
        """Of every index of an axis of what ``node`` reads or computes, whether it stays."""
        units = self.channels.units(tensor, axis, node)
        if units is None:
            size = (tensor.shape or ())[axis]
            return np.ones(size if isinstance(size, int) else 1, np.bool_)
        return self._stays[units]

    def changed(self, tensor: Tensor, node: Node) -> Mapping[int, Mask]:
        """The axes of which something goes, each with its mask."""
        masks = ((axis, self.mask(tensor, axis, node)) for axis in range(len(tensor.shape or ())))
        return {axis: mask for axis, mask in masks if not mask.all()}

    def ints(self, base: str, values: list[int]) -> Constant:
        """A new constant of int64 values, rank 1, named after ``base``."""
        return Constant(self.name(base), np.array(values, np.int64))

    def run(self) -> list[Node]:
        """Take them out; returns the nodes that read or compute less than before, in order."""
        cuts = self._cuts()
        touched = {id(n): n for block, _ in cuts.values() for n in block.nodes}
        nodes = [n for n in self.channels.graph.nodes if id(n) in touched]
        for node in nodes:
            if node.op in PARAMETERS:
                PARAMETERS[node.op](node, self)
        for block, masks in cuts.values():
            if isinstance(block.tensor, Constant):
                self._thin(block, block.tensor, masks)
            else:
                self._resize(block.tensor, masks)
        return nodes

    def _cuts(self) -> dict[tuple[int, int], tuple[Block, dict[int, Mask]]]:
        """By tensor (and reader, for what is told apart by reader) the masks of the axes of which something goes."""
        cuts: dict[tuple[int, int], tuple[Block, dict[int, Mask]]] = {}
        for block, units in self.channels.blocks():
            mask = self._stays[units]
            if not mask.all():
                _, masks = cuts.setdefault((id(block.tensor), id(block.reader)), (block, {}))
                masks[block.axis] = mask
        return cuts

    def _thin(self, block: Block, constant: Constant, masks: Mapping[int, Mask]) -> None:
        thinned = Constant(self.name(constant.name), self._weight(constant, masks))
        if block.reader is None:
            self.editor.redirect(constant, thinned)
            return
        for index, tensor in enumerate(block.reader.inputs):
            if tensor is constant:
                self.editor.set_input(block.reader, index, thinned)

    def _weight(self, constant: Constant, masks: Mapping[int, Mask]) -> Weight:
        if not self.sizes_only:
            return Weight.of(thinned(constant.values, {axis: np.flatnonzero(mask) for axis, mask in masks.items()}))
        sizes = (int(masks[axis].sum()) if axis in masks else size for axis, size in enumerate(constant.shape))
        return Weight(constant.weight.elem_type, tuple(sizes), Absent("", constant.nbytes))

    def _resize(self, value: Value, masks: Mapping[int, Mask]) -> None:
        self.editor.retype(value, value.dtype, _shape(value.shape or (), masks))
        if not (self.sizes_only or self.channels.graph.returned_by(value) or value in self.channels.graph.inputs):
            self.editor.rename(value, self.name(value.name))


def thinned(array: NDArray[np.generic], keep: Mapping[int, NDArray[np.int64]]) -> NDArray[np.generic]:
    """``array`` with the indices in ``keep`` along each axis."""
    for axis, indices in keep.items():
        array = np.take(array, indices, axis)
    return array


def _shape(shape: Sequence[Dim], masks: Mapping[int, Mask]) -> tuple[Dim, ...]:
    return tuple(int(masks[axis].sum()) if axis in masks else size for axis, size in enumerate(shape))
