"""Reshape and its like: axes that are split into factors, or made of them.

``[N, 768, 14, 14] -> [N, 12, 64, 196]``: the axis of 768 is 12 heads of 64. Either a whole head can go, or the same
places of every head: one factor carries the channels, the others stay whole (:class:`~surgery.channels.ties.Choice`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from surgery.channels.ties import Atoms, Choice, Ties, Unclear
from surgery.ir import Node, Shape, Tensor, ops


class Factor(NamedTuple):
    """A size that an axis of the input and an axis of the output have in common."""

    size: int
    old: int
    new: int


def reshape(node: Node, ties: Ties) -> None:
    """Every axis is made of the factors that it has in common with those of the other side."""
    x, y = node.inputs[0], node.outputs[0]
    if node.op == "Reshape" and ops.ints(node, "shape", 1) is None:
        raise Unclear("sizes that are computed")
    if x.shape is None or y.shape is None:
        raise Unclear("a shape that is not known")
    skip = _leading(x.shape, y.shape)
    for axis in range(skip):
        ties.tie(ties.atoms(x, axis, node), ties.atoms(y, axis, node))
    found = factors(_known(x.shape[skip:]), _known(y.shape[skip:]))
    made = [(f, ties.fresh(f.size)) for f in found]
    shuffles = _shuffles(node)
    for tensor, side in ((x, 1), (y, 2)):
        for axis in range(skip, len(tensor.shape or ())):
            own = tuple(atoms for f, atoms in made if f[side] == axis - skip)
            _axis(node, ties.atoms(tensor, axis, node), own, shuffles, ties)


def _axis(node: Node, atoms: Atoms, factors: tuple[Atoms, ...], inner: bool, ties: Ties) -> None:
    if len(factors) == 1:
        ties.tie(atoms, factors[0])
    elif factors:
        ties.choices.append(Choice(node, atoms, factors, inner))


def factors(old: Sequence[int], new: Sequence[int]) -> list[Factor]:
    """The common factors of two shapes of as many elements, outermost first, axes of size 1 left out.

    >>> factors([768, 196], [12, 64, 196])
    [Factor(size=12, old=0, new=0), Factor(size=64, old=0, new=1), Factor(size=196, old=1, new=2)]

    Raises Unclear when an axis ends amid a factor of the other side.
    """
    found, left, right = list[Factor](), list(old), list(new)
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] == 1 or right[j] == 1:
            i, j = i + (left[i] == 1), j + (right[j] == 1)
            continue
        size = min(left[i], right[j])
        if not size or left[i] % size or right[j] % size:
            raise Unclear(f"axes of {left[i]} and {right[j]}, which have no common factor")
        found.append(Factor(size, i, j))
        left[i], right[j] = left[i] // size, right[j] // size
    return found


def _leading(old: Shape, new: Shape) -> int:
    """How many axes at the front are the same: those, of which a size may be a name, need no factors."""
    pairs = list(zip(old, new, strict=False))
    return next((i for i, (a, b) in enumerate(pairs) if a != b or a is None), len(pairs))


def _known(shape: Shape) -> list[int]:
    sizes = [size for size in shape if isinstance(size, int)]
    if len(sizes) != len(shape):
        raise Unclear("a size that is not known")
    return sizes


def _shuffles(node: Node) -> bool:
    """Whether a Reshape, a Transpose and a Reshape lead back to the shape at hand: channels are shuffled in groups."""
    ahead = [(node, end) for turn in _turns(node.outputs[0].consumers) for end in turn.outputs[0].consumers]
    behind = [(turn.inputs[0].producer, node) for turn in _turns([node.inputs[0].producer])]
    return any(
        first is not None and first.op == end.op == "Reshape" and _same(first.inputs[0], end.outputs[0])
        for first, end in (*ahead, *behind)
    )


def _turns(nodes: Iterable[Node | None]) -> list[Node]:
    return [node for node in nodes if node is not None and node.op == "Transpose"]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape is not None and one.shape == other.shape


RESHAPES = dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape)
"""The rule of every operator of this kind."""
