"""Windows of a map, as attention looks at them, cut out of it by their sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from passes.rank.axes import Grid, move_of
from passes.rank.moves import MOVED
from passes.rank.site import MOVES, Site, site
from surgery.ir import Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build

WINDOWS = 64
"""Most windows of a map; of more the cuts were not compiled."""


@dataclass(frozen=True)
class Parted:
    """A chain between a map and its windows, how many lie below and beside each other, and whether it joins them."""

    site: Site
    count: tuple[int, int]
    joins: bool = False


class CutWindows(Rule[Parted]):
    """``Reshape, Transpose, Reshape`` of 1xCxHxW to windows, a batch of them, ``-> Slices and a Concat``; or back.

    ::

        a = Reshape (x, [1, 192, 2, 7, 2, 7])                      x: 1x192x14x14
        b = Transpose <perm = [0, 2, 4, 1, 3, 5]> (a)
        y = Reshape (b, [4, 192, 7, 7])

    becomes the four quarters of x behind each other. Exact: elements only move. The witness on bayes-e at O2: the
    three nodes add 820 us to two convolutions, this 20 (docs/passes/normalise-rank.md).
    """

    name, roots = "cut-windows", MOVES
    purpose, exactness = Purpose.ACCELERATE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Parted:
        """A chain that makes windows of one map, or one map of windows."""
        found = site(node, ctx)
        count = _parts(found.grid, found.result)
        if count is not None and found.move == move_of(*_apart(found.grid, count)):
            return Parted(found, count)
        count = _parts(found.result, found.grid)
        if count is not None and found.move.inverse == move_of(*_apart(found.result, count)):
            return Parted(found, count, joins=True)
        raise Mismatch(f"makes {list(found.after)} of {list(found.before)}, which are no windows of one map", node)

    def rewrite(self, match: Parted, rw: Rewriter) -> None:
        """Rows of windows, and the windows of each row; or these joined."""
        rw.replace(match.site.last, (_joined if match.joins else _cut)(match, rw))


class LegaliseWindows(CutWindows):
    """The same where the march has no kernel for what moves the elements."""

    name, purpose, cures = "legalise-windows", Purpose.LEGALISE, MOVED


def _parts(whole: Grid, part: Grid) -> tuple[int, int] | None:
    """How many windows as large as ``part`` lie below and beside each other in ``whole``; None where they do not."""
    down, right = whole[2] // max(1, part[2]), whole[3] // max(1, part[3])
    tiled = (1, part[1], down * part[2], right * part[3])
    return (down, right) if whole == tiled and 1 < part[0] == down * right <= WINDOWS else None


def _apart(whole: Grid, count: tuple[int, int]) -> tuple[Sequence[int], Sequence[int]]:
    """The shape and the order of the Transpose that lays the windows of a map behind each other."""
    (down, right), (_, channels, high, wide) = count, whole
    return (channels, down, high // down, right, wide // right), (1, 3, 0, 2, 4)


def _cut(match: Parted, rw: Rewriter) -> Tensor:
    """Windows of a map."""
    rows = _pieces(rw, match.site.source, match.site.before, 2, match.count[0])
    shape = (*match.site.before[:2], match.site.after[2], match.site.before[3])
    return build.concat(rw, [one for row in rows for one in _pieces(rw, row, shape, 3, match.count[1])], 0)


def _joined(match: Parted, rw: Rewriter) -> Tensor:
    """The map of windows."""
    down, right = match.count
    windows = _pieces(rw, match.site.source, match.site.before, 0, down * right)
    rows = [build.concat(rw, windows[row * right : (row + 1) * right], 3) for row in range(down)]
    return build.concat(rw, rows, 2)


def _pieces(rw: Rewriter, x: Tensor, shape: Sequence[int], axis: int, count: int) -> list[Tensor]:
    """``x`` of ``shape`` in equal parts along an axis."""
    size = shape[axis] // count
    starts = range(0, shape[axis], size)
    return [x] if count == 1 else [build.slice_(rw, x, [axis], [start], [start + size]) for start in starts]
