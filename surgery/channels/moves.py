"""Operators that put channels elsewhere: other axes, other places on an axis."""

from __future__ import annotations

import numpy as np

from surgery.channels.layers import broadcast
from surgery.channels.pointwise import same_axes
from surgery.channels.ties import Atoms, Ties, Unclear
from surgery.ir import Constant, Node, Tensor, ops


def transpose(node: Node, ties: Ties) -> None:
    """Axes change places."""
    perm = ops.permutation(node)
    if perm is None:
        raise Unclear("a rank that is not known")
    for place, axis in enumerate(perm):
        ties.tie(ties.atoms(node.inputs[0], axis, node), ties.atoms(node.outputs[0], place, node))


def concat(node: Node, ties: Ties) -> None:
    """The inputs stand one behind the other along the axis."""
    y = node.outputs[0]
    axis = int(node.attrs["axis"]) % max(1, y.rank or 1)
    whole = ties.atoms(y, axis, node)
    parts = [ties.atoms(t, axis, node) for t in node.inputs]
    ties.tie(np.concatenate(parts), whole)
    for tensor in node.inputs:
        same_axes(node, tensor, y, ties, [a for a in range(y.rank or 0) if a != axis])


def split(node: Node, ties: Ties) -> None:
    """The outputs stand one behind the other along the axis."""
    x = node.inputs[0]
    axis = ops.axis(node, 0)
    ties.tie(ties.atoms(x, axis, node), np.concatenate([ties.atoms(y, axis, node) for y in node.outputs]))
    for y in node.outputs:
        same_axes(node, x, y, ties, [a for a in range(x.rank or 0) if a != axis])


def slice_(node: Node, ties: Ties) -> None:
    """A range of indices along some axes; what is left out is of no output."""
    x, y = node.inputs[0], node.outputs[0]
    ranges = slices(node)
    for axis in range(x.rank or 0):
        atoms = ties.atoms(x, axis, node)
        if axis in ranges and isinstance((x.shape or ())[axis], int):
            if ranges[axis].step != 1:
                ties.hold(atoms, f"Slice {node.name!r}, which takes every {ranges[axis].step}th")
            atoms = atoms[ranges[axis]]
        ties.tie(atoms, ties.atoms(y, axis, node))


def slices(node: Node) -> dict[int, slice]:
    """The range of every axis that a Slice cuts; raises Unclear where it is computed."""
    x = node.inputs[0]
    starts, ends = ops.ints(node, "starts", 1), ops.ints(node, "ends", 2)
    if starts is None or ends is None or x.rank is None or (node.input(3) is not None and ops.axes(node) is None):
        raise Unclear("bounds that are computed")
    axes = ops.axes(node) or list(range(len(starts)))
    steps = ops.ints(node, "steps", 4) or [1] * len(starts)
    return {a: _range(s, e, step) for a, s, e, step in zip(axes, starts, ends, steps, strict=True)}


def _range(start: int, end: int, step: int) -> slice:
    """As Python's, in which an end before the first index is spelt None when the step is negative."""
    return slice(start, None if step < 0 and end < -(2**31) else end, step)


def gather(node: Node, ties: Ties) -> None:
    """Rows of a table, or the indices of an axis in another order; an axis that is picked from stays."""
    table, picks, y = node.inputs[0], node.inputs[1], node.outputs[0]
    if table.rank is None or picks.rank is None:
        raise Unclear("a rank that is not known")
    axis = ops.axis(node, 0)
    for other in (a for a in range(table.rank) if a != axis):
        place = other if other < axis else other - 1 + picks.rank
        ties.tie(ties.atoms(table, other, node), ties.atoms(y, place, node))
    if isinstance(picks, Constant) and picks.rank == 1:
        ties.tie(ties.atoms(table, axis, node)[picks.values], ties.atoms(y, axis, node))
    else:
        ties.hold(ties.atoms(table, axis, node), f"Gather {node.name!r}, which picks from it")
        for own in range(picks.rank):
            ties.tie(ties.atoms(picks, own, node), ties.atoms(y, axis + own, node))


def pad(node: Node, ties: Ties) -> None:
    """Axes that are not padded are passed on."""
    x, y = node.inputs[0], node.outputs[0]
    pads, rank = ops.pads(node), x.rank
    if pads is None or rank is None or node.input(3) is not None or len(pads) != 2 * rank:
        raise Unclear("pads that are computed")
    _unless(node, x, y, [bool(pads[a] or pads[a + rank]) for a in range(rank)], ties)


def resized(node: Node, ties: Ties) -> None:
    """``Resize``, ``Expand``, ``Tile``: axes whose size stays are passed on."""
    x, y = node.inputs[0], node.outputs[0]
    if x.shape is None or y.shape is None:
        raise Unclear("a shape that is not known")
    if node.op == "Expand":
        broadcast(node, x, y, ties)
        return
    if len(x.shape) != len(y.shape):
        raise Unclear("another rank")
    _unless(node, x, y, [one != other for one, other in zip(x.shape, y.shape, strict=True)], ties)


def _unless(node: Node, x: Tensor, y: Tensor, changed: list[bool], ties: Ties) -> None:
    for axis, changes in enumerate(changed):
        if changes:
            for tensor in (x, y):
                ties.hold(ties.atoms(tensor, axis, node), f"{node.op} {node.name!r}, which changes its size")
        else:
            ties.tie(ties.atoms(x, axis, node), ties.atoms(y, axis, node))


def depth_to_space(node: Node, ties: Ties) -> None:
    """A channel of the output comes from as many of the input as a block has places."""
    x, y, block = node.inputs[0], node.outputs[0], int(node.attrs["blocksize"]) ** 2
    deep, flat = ties.atoms(x, 1, node), ties.atoms(y, 1, node)
    crd = ops.attr(node, "mode", "DCR") == "CRD"
    _blocks(node, deep, flat.repeat(block) if crd else np.tile(flat, block), ties)


def space_to_depth(node: Node, ties: Ties) -> None:
    """The other way round; channels of one place stand together."""
    x, y, block = node.inputs[0], node.outputs[0], int(node.attrs["blocksize"]) ** 2
    _blocks(node, ties.atoms(y, 1, node), np.tile(ties.atoms(x, 1, node), block), ties)


def _blocks(node: Node, deep: Atoms, flat: Atoms, ties: Ties) -> None:
    ties.tie(deep, flat)
    x, y = node.inputs[0], node.outputs[0]
    ties.tie(ties.atoms(x, 0, node), ties.atoms(y, 0, node))
    for tensor in (x, y):
        for axis in (2, 3):
            ties.hold(ties.atoms(tensor, axis, node), f"{node.op} {node.name!r}, which moves its places")


MOVES = {
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "Pad": pad,
    "Resize": resized,
    "Upsample": resized,
    "Expand": resized,
    "Tile": resized,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
"""The rule of every operator of this kind."""
