"""Updates at constant places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

Range: TypeAlias = "tuple[int, int]"
Places: TypeAlias = "np.ndarray[Any, np.dtype[np.integer[Any]]]"
MOST = 2
"""Axes along which an update may leave a rest."""


@dataclass(frozen=True)
class Box:
    """An update of ``ranges`` of the leading axes of a value of ``shape``."""

    node: Node
    shape: tuple[int, ...]
    ranges: tuple[Range, ...]

    @property
    def rests(self) -> list[int]:
        """The axes that the update does not fill."""
        return [axis for axis, (low, high) in enumerate(self.ranges) if high - low < self.shape[axis]]


class ScatterNDAsConcat(Rule[Box]):
    """``ScatterND(x, places, update) -> Concat(Slice(x), update, Slice(x))`` where the places are a box, in order.

    That is what ``x[:, 2:4] = update`` is exported as. The witness at O2, 64x28x28 between convolutions: on bayes-e
    123 us in two segments and an operator on the CPU, 88 in one; on bernoulli2 528 and 454.
    """

    name, roots = "scatter-nd-as-concat", frozenset({"ScatterND"})
    purpose, exactness = Purpose.LEGALISE, Exactness.EXACT
    cures = frozenset({"ScatterND.device", "ScatterND.log", "ScatterND.unlisted"})

    def match(self, node: Node, ctx: Context) -> Box:
        """Constant places, each once; what is there is replaced."""
        shape = need.static(node.inputs[0], node)
        if isinstance(node.inputs[0], Constant):
            need.constant(node, 0)
        if (how := ops.attr(node, "reduction", "none")) not in ("none", b"none"):
            raise Mismatch(f"reduction is {how!r}, it must be 'none'", node)
        box = Box(node, shape, _ranges(need.constant(node, 1), shape, node))
        if len(box.rests) > MOST:
            raise Mismatch(f"the update leaves a rest along {len(box.rests)} axes, at most {MOST} may have one", node)
        return box

    def rewrite(self, match: Box, rw: Rewriter) -> None:
        """The update between what it leaves, along one axis after the other."""
        x, _, update = match.node.inputs
        sides = [high - low for low, high in match.ranges]
        wanted = (*sides, *match.shape[len(sides) :])
        inner = update if update.shape == wanted else build.reshape(rw, update, wanted)
        rw.replace(match.node, _filled(rw, x, inner, match.ranges, match.rests))


def _ranges(places: Places, shape: Sequence[int], node: Node) -> tuple[Range, ...]:
    """The box that ``places`` walk over in reading order."""
    rows = places.reshape(-1, places.shape[-1])
    rows = np.where(rows < 0, rows + np.array(shape[: rows.shape[1]]), rows)
    if not rows.size:
        raise Mismatch("there are no places, one at least must be updated", node)
    low, high = rows.min(axis=0), rows.max(axis=0) + 1
    sides = [int(side) for side in high - low]
    if prod(sides) != len(rows) or (np.indices(sides).reshape(len(sides), -1).T + low != rows).any():
        raise Mismatch(f"the {len(rows)} places are no box in reading order, they must be one", node)
    return tuple(zip(low.tolist(), high.tolist(), strict=True))


def _filled(rw: Rewriter, x: Tensor, update: Tensor, ranges: Sequence[Range], rests: Sequence[int]) -> Tensor:
    """``update`` with what of ``x`` is around it along the axes ``rests``."""
    if not rests:
        return update
    axis, *later = rests
    low, high = ranges[axis]
    size = (x.shape or ())[axis]
    assert isinstance(size, int)
    inner = _filled(rw, _part(rw, x, axis, (low, high)), update, ranges, later) if later else update
    around = ((0, low), None, (high, size))
    parts = [inner if at is None else _part(rw, x, axis, at) for at in around if at is None or at[0] < at[1]]
    return build.concat(rw, parts, axis)


def _part(rw: Rewriter, x: Tensor, axis: int, at: Range) -> Tensor:
    """``x`` between two places of an axis."""
    if isinstance(x, Constant):
        return rw.constant(np.take(x.values, range(*at), axis))
    return build.slice_(rw, x, [axis], [at[0]], [at[1]])
