"""Movements of elements that wait to be done: a Reshape or Transpose each, and what they are together. All pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeAlias

from surgery.target.shapes import Dims


@dataclass(frozen=True)
class Move:
    """One movement, a Transpose where there is a ``perm``, from a value of one shape to one of another."""

    before: Dims
    after: Dims
    perm: Dims | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it changes nothing."""
        return self.before == self.after if self.perm is None else self.perm == tuple(range(len(self.perm)))

    def matches(self, other: Move) -> bool:
        """Whether the other is the same movement, maybe of an operand that is stretched."""
        return self.perm == other.perm and _alike(self.before, other.before) and _alike(self.after, other.after)


Moves: TypeAlias = "tuple[Move, ...]"
TO_CHANNELS, FROM_CHANNELS = (0, 3, 1, 2), (0, 2, 3, 1)
"""From channels last to channels first, and back."""


def reshape(before: Dims, after: Dims) -> Move:
    """A Reshape."""
    return Move(before, after)


def transpose(before: Dims, perm: Dims) -> Move:
    """A Transpose."""
    return Move(before, tuple(before[axis] for axis in perm), perm)


def joined(moves: Moves, more: Sequence[Move]) -> Moves:
    """``moves``, then ``more``: two of a kind in a row are one, and what changes nothing is none.

    >>> joined((transpose((1, 2, 3), (0, 2, 1)),), [transpose((1, 3, 2), (0, 2, 1))])
    ()
    """
    for each in more:
        same = bool(moves) and (moves[-1].perm is None) == (each.perm is None)
        move = _merged(moves[-1], each) if same else each
        moves = moves[:-1] if same else moves
        moves = moves if move.is_idle else (*moves, move)
        if len(moves) > 2 and (whole := _around(*moves[-3:])) is not None:
            moves = joined(moves[:-3], [whole])
    return moves


def _around(first: Move, middle: Move, last: Move) -> Move | None:
    """The Reshape that three movements are: pixels merged or parted between a way channels last and one back.

    The toolchain sees that where it can tell height from channels and from width by their sizes.
    """
    if (first.perm, middle.perm, last.perm) != (FROM_CHANNELS, None, TO_CHANNELS) or len(middle.after) != 4:
        return None
    before, after = first.before, last.after
    row, (channels, height, width) = (before, after[1:]) if 1 in before[2:] else (after, before[1:])
    alike = before[:2] == after[:2] and 1 in row[2:] and height not in (channels, width)
    return reshape(before, after) if alike else None


def _merged(first: Move, then: Move) -> Move:
    if first.perm is None or then.perm is None:
        return Move(first.before, then.after)
    return Move(first.before, then.after, tuple(first.perm[axis] for axis in then.perm))


def shared_end(one: Moves, other: Moves) -> int:
    """How many of the last moves two operands pass together: Transposes, and Reshapes from rank 3 to 5, but 4 to 4."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].matches(pair[1]) and is_passed(pair[0]), pairs))


def is_passed(move: Move) -> bool:
    """Whether what reads two values that wait for it is done before it: a Transpose, most Reshapes from rank 3 to 5."""
    before, after = len(move.before), len(move.after)
    return move.perm is not None or (3 <= before <= 5 and not before == after == 4)


def behind_maps(moves: Moves) -> Moves:
    """Those behind the last Reshape of a map to a map: only what is one a channel passes that one."""
    maps = [n for n, move in enumerate(moves, 1) if move.perm is None and len(move.before) == len(move.after) == 4]
    return moves[maps[-1] :] if maps else moves


def behind_rows(moves: Moves) -> Moves:
    """Those behind the last Reshape of a matrix to more dims."""
    rows = [n for n, move in enumerate(moves, 1) if move.perm is None and len(move.before) == 2 < len(move.after)]
    return moves[rows[-1] :] if rows else moves


def undone(shape: Dims, moves: Moves) -> Moves | None:
    """``moves`` as they lead to ``shape``, which is that of their result or 1 in some of its dims.

    None where such a value is no result of them.

    >>> undone((1, 196, 1), (reshape((1, 8, 14, 14), (1, 8, 196)), transpose((1, 8, 196), (0, 2, 1))))[0].before
    (1, 1, 14, 14)
    """
    found: Moves = ()
    for move in reversed(moves):
        before = _before(shape, move)
        if before is None:
            return None
        found = (Move(before, shape, move.perm), *found)
        shape = before
    return found


def _before(shape: Dims, move: Move) -> Dims | None:
    """The shape that becomes ``shape`` by ``move``; None by a Reshape of no elements, which has no groups of dims."""
    if move.perm is not None:
        return tuple(shape[move.perm.index(axis)] for axis in range(len(shape)))
    if 0 in move.before:
        return None
    before: list[int] = []
    for inner, outer in _groups(move.before, move.after):
        kept = shape[outer.start : outer.stop]
        if kept == move.after[outer.start : outer.stop]:
            before += move.before[inner.start : inner.stop]
        elif set(kept) == {1}:
            before += [1] * len(inner)
        else:
            return None
    return tuple(before)


def piece_before(part: Dims, move: Move) -> Dims | None:
    """The shape of the piece that becomes ``part``, a piece of the result of ``move``, by a Reshape of dims of 1.

    None where the movement is another one, or its dims of 1 are not all in front or behind.

    >>> piece_before((1, 2, 84), reshape((1, 1, 4, 84), (1, 4, 84))), piece_before((1, 4), reshape((1, 2, 4), (1, 8)))
    ((1, 1, 2, 84), None)
    """
    if move.perm is not None:
        return None
    longer, shorter = sorted((move.before, move.after), key=len, reverse=True)
    ones = len(longer) - len(shorter)
    for front in range(ones + 1):
        lead, rest = (1,) * front, (1,) * (ones - front)
        if longer == (*lead, *shorter, *rest):
            dropped = len(move.before) > len(move.after)
            return (*lead, *part, *rest) if dropped else part[front : len(part) - len(rest)]
    return None


def _groups(one: Dims, other: Dims) -> Iterator[tuple[range, range]]:
    """The smallest runs of axes of two shapes of one value that hold the same dims of it."""
    a = b = 0
    while a < len(one) or b < len(other):
        begin, left, right = (a, b), 1, 1
        while (a, b) == begin or left != right:
            if b >= len(other) or (left <= right and a < len(one)):
                left, a = left * one[a], a + 1
            else:
                right, b = right * other[b], b + 1
        yield range(begin[0], a), range(begin[1], b)


def keeps_order(moves: Moves) -> bool:
    """Whether the elements come out in the order in which they went in, as far as the toolchain sees that.

    It sees through dims of 1 that come and go, but not that a Transpose and a merge of dims may change places.

    >>> keeps_order((transpose((1, 8, 1, 14), (0, 2, 1, 3)),)), keeps_order((transpose((1, 8, 14), (0, 2, 1)),))
    (True, False)
    """
    return all(move.perm is None for move in joined((), [_squeezed(move) for move in moves]))


def _squeezed(move: Move) -> Move:
    """The same movement without dims of 1."""
    before, after = (tuple(size for size in shape if size != 1) for shape in (move.before, move.after))
    if move.perm is None:
        return Move(before, after)
    kept = [axis for axis, size in enumerate(move.before) if size != 1]
    return Move(before, after, tuple(kept.index(axis) for axis in move.perm if axis in kept))


def _alike(one: Dims, other: Dims) -> bool:
    return len(one) == len(other) and all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))
