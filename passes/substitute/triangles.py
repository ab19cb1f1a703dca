"""Triangles of matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.base import Substitution, spread
from surgery.ir import Node, Tensor, ops
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, need

LARGEST = 16 << 20
"""Most bytes of a mask."""


@dataclass(frozen=True)
class Triangle:
    """Matrices, and where their elements are kept."""

    node: Node
    x: Tensor
    mask: np.ndarray[Any, np.dtype[np.bool_]]


class Trilu(Substitution[Triangle]):
    """``Trilu(x, k) -> Where(triangle, x, 0)``; exact, and no infinity is multiplied by 0. Booleans: ``And``."""

    name, roots, exactness = "trilu", frozenset({"Trilu"}), Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Triangle:
        """Matrices of known size, a constant diagonal."""
        x = node.inputs[0]
        need.rank(x, node)
        need.dtype(x, node, "fiub")
        rows, columns = (x.shape or ())[-2:]
        if not isinstance(rows, int) or not isinstance(columns, int):
            raise Mismatch(f"the matrices are {dims((x.shape or ())[-2:])}, both sides must be known", node)
        if rows * columns > LARGEST:
            raise Mismatch(f"the mask of {rows}x{columns} takes {rows * columns} bytes, at most {LARGEST}", node)
        diagonal = 0 if node.input(1) is None else int(need.constant(node, 1).reshape(()))
        keep = np.triu if ops.attr(node, "upper", 1) else np.tril
        return Triangle(node, x, keep(np.ones((rows, columns), bool), diagonal))

    def build(self, match: Triangle, rw: Rewriter) -> Tensor:
        """One node."""
        x, rank = match.x, match.x.rank or 2
        mask = rw.constant(spread(match.mask, rank))
        if x.dtype == np.bool_:
            return rw.op("And", x, mask)
        return rw.op("Where", mask, x, rw.constant(np.zeros((1,) * rank), like=x))
