"""What Reshape and Transpose do to elements, as one permutation of the flattened index space.

A :class:`Move` says for every element of the result, in order, where in the source it was: a loop nest over *digits*,
each a size and a stride in the source. Reshapes leave it as it is, so that any chain of Reshape and Transpose is one
Move. Sizes of 1 vanish and digits that stay adjacent merge, so that equal permutations are equal Moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np

from surgery.target.shapes import Digit, merged_digits, transposed

Grid: TypeAlias = "tuple[int, int, int, int]"
"""A static NxCxHxW."""


@dataclass(frozen=True)
class Move:
    """A permutation of elements; make one with :func:`move_of`."""

    digits: tuple[Digit, ...]

    @property
    def is_identity(self) -> bool:
        """Whether every element stays where it is."""
        return len(self.digits) < 2

    @property
    def shape(self) -> tuple[int, ...]:
        """The source, in the fewest axes in which one Transpose does the move."""
        return tuple(size for size, _ in self._sorted())

    @property
    def perm(self) -> tuple[int, ...]:
        """The permutation of that Transpose."""
        place = {digit: axis for axis, digit in enumerate(self._sorted())}
        return tuple(place[digit] for digit in self.digits)

    def _sorted(self) -> list[Digit]:
        return sorted(self.digits, key=lambda digit: -digit[1])

    @property
    def inverse(self) -> Move:
        """The move back."""
        after = [self.shape[p] for p in self.perm]
        return move_of(after, [self.perm.index(axis) for axis in range(len(after))])

    def then(self, later: Move) -> Move | None:
        """This move, then ``later``; None where a digit of the one does not divide those of the other."""
        total, found = prod(size for size, _ in self.digits), list[Digit]()
        for size, stride in later.digits:
            parts = grouped(self, (total // (size * stride), size, stride))
            if parts is None:
                return None
            found += parts[1]
        return Move(merged_digits(found))


def move_of(shape: Sequence[int], perm: Sequence[int]) -> Move:
    """What a Transpose by ``perm`` of a value of ``shape`` does.

    >>> move_of((1, 8, 2, 3), (0, 3, 1, 2))
    Move(digits=((3, 1), (16, 3)))
    """
    return Move(transposed(tuple(shape), perm))


def grouped(move: Move, sizes: Sequence[int]) -> list[tuple[Digit, ...]] | None:
    """The digits of ``move``, cut so that they fill result axes of ``sizes``; None where they cannot be cut so."""
    groups: list[tuple[Digit, ...]] = []
    left = list(move.digits)
    for axis_size in reversed(sizes):
        wanted, group = axis_size, list[Digit]()
        while wanted > 1:
            size, stride = left.pop()
            part = min(size, wanted)
            if size % part or wanted % part:
                return None
            group.insert(0, (part, stride))
            if part < size:
                left.append((size // part, stride * part))
            wanted //= part
        groups.insert(0, tuple(group))
    return groups


def channel_order(move: Move, grid: Grid) -> tuple[int, ...] | None:
    """Which channel of the source each channel of the result is, where only channels of ``grid`` move; else None."""
    n, c, h, w = grid
    groups = grouped(move, (n, c, h * w))
    if groups is None or groups[0] != _whole(n, c * h * w) or groups[2] != _whole(h * w, 1):
        return None
    return _channels(groups[1], c, h * w)


def block_order(move: Move, grid: Grid, block: int) -> tuple[int, ...] | None:
    """Which channel of ``grid`` goes into each place (channel, row, column) of the blocks that a move fills.

    That is a DepthToSpace (mode CRD) behind a permutation of channels by this order; None where the move is none.
    """
    n, c, h, w = grid
    if c % block**2:
        return None
    groups = grouped(move, (n, c // block**2, h, block, w, block))
    if groups is None:
        return None
    outer, channel, high, row, wide, column = groups
    if (outer, high, wide) != (_whole(n, c * h * w), _whole(h, w), _whole(w, 1)):
        return None
    return _channels((*channel, *row, *column), c, h * w)


def _whole(size: int, stride: int) -> tuple[Digit, ...]:
    return ((size, stride),) if size > 1 else ()


def _channels(digits: Sequence[Digit], channels: int, area: int) -> tuple[int, ...] | None:
    """The channels that ``digits`` walk over, None where they walk over anything else."""
    if any(stride % area or size * stride > channels * area for size, stride in digits):
        return None
    order = np.zeros(1, np.int64)
    for size, stride in digits:
        order = np.add.outer(order, np.arange(size) * (stride // area)).reshape(-1)
    return tuple(order.tolist())


def blocks_first(channels: int, block: int) -> tuple[int, ...]:
    """The order of :func:`block_order` of a DepthToSpace of mode DCR, which a SpaceToDepth undoes."""
    return tuple(np.arange(channels).reshape(block * block, -1).T.reshape(-1).tolist())


def inverted(order: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes ``order``."""
    return tuple(np.argsort(np.asarray(order, np.int64)).tolist())


def block_move(grid: Grid, block: int, *, blocks_outer: bool) -> Move:
    """What DepthToSpace does to ``grid``: of mode DCR where ``blocks_outer``, else CRD."""
    n, c, h, w = grid
    inner = c // block**2
    if blocks_outer:
        return move_of((n, block, block, inner, h, w), (0, 3, 4, 1, 5, 2))
    return move_of((n, inner, block, block, h, w), (0, 1, 4, 2, 5, 3))
