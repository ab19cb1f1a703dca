"""Grids of places to sample at."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from passes.substitute.base import Substitution, wide
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

LARGEST = 16 << 20
"""Most bytes of the places before they are moved."""


@dataclass(frozen=True)
class Grid:
    """Matrices, the sides of the grid, and the places in it before the matrices move them, with a 1 at the end."""

    node: Node
    theta: Tensor
    sides: tuple[int, ...]
    places: np.ndarray[Any, np.dtype[np.float64]]


class AffineGrid(Substitution[Grid]):
    """``AffineGrid(theta, size) -> Reshape(MatMul(places, Transpose(theta)))`` for a constant size.

    The places lie between -1 and 1 along each side, at the middles of the pixels or (align_corners) from edge to edge.
    """

    name, roots = "affine-grid", frozenset({"AffineGrid"})

    def match(self, node: Node, ctx: Context) -> Grid:
        """A constant size of two or three sides, none of them 1 where corners are aligned."""
        theta = wide(node)
        sides = tuple(int(n) for n in need.constant(node, 1)[2:])
        align = bool(ops.attr(node, "align_corners", 0))
        if align and 1 in sides:
            raise Mismatch(f"the grid is {'x'.join(map(str, sides))}, a side of 1 has no two corners to align", node)
        size = prod(sides) * (len(sides) + 1) * 4
        if size > LARGEST:
            raise Mismatch(f"the places of the grid take {size} bytes, at most {LARGEST}", node)
        return Grid(node, theta, sides, places(sides, align=align))

    def build(self, match: Grid, rw: Rewriter) -> Tensor:
        """Three nodes."""
        base = rw.constant(match.places[None], like=match.theta)
        moved = rw.op("MatMul", base, build.transpose(rw, match.theta, [0, 2, 1]))
        return build.reshape(rw, moved, [0, *match.sides, len(match.sides)])


def places(sides: tuple[int, ...], *, align: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The places of a grid in reading order, the last side's coordinate first, then a 1.

    >>> places((1, 2), align=False).tolist()
    [[-0.5, 0.0, 1.0], [0.5, 0.0, 1.0]]
    """
    lines = [np.linspace(-1, 1, n) if align else (2 * np.arange(n) + 1) / n - 1 for n in sides]
    axes = np.meshgrid(*lines, indexing="ij")[::-1]
    return np.stack([*axes, np.ones(sides)], axis=-1).reshape(-1, len(sides) + 1)
