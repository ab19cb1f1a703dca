"""Arithmetic on shapes that limits speak about: broadcasting, merging of dims, operand forms. All pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from math import prod
from typing import TypeAlias

Dims: TypeAlias = "tuple[int, ...]"
Digit: TypeAlias = "tuple[int, int]"
"""An axis of a permuted value: its size, and its stride in the source."""


def aligned(shapes: Sequence[Dims]) -> list[Dims]:
    """The shapes with ones put in front until all have the same rank, as broadcasting reads them."""
    rank = max((len(shape) for shape in shapes), default=0)
    return [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]


def broadcast_kinds(shapes: Sequence[Dims]) -> list[frozenset[int]]:
    """Per dim of the result, which operands are stretched there (by index); empty where none is."""
    full = aligned(shapes)
    return [
        frozenset(i for i, size in enumerate(sizes) if size == 1) if max(sizes) > 1 else frozenset()
        for sizes in zip(*full, strict=True)
    ]


def broadcast_sides(shapes: Sequence[Dims]) -> int:
    """How many operands are stretched somewhere.

    >>> broadcast_sides([(1, 8, 4, 4), (1, 8, 1, 1)]), broadcast_sides([(1, 8, 1, 4), (1, 8, 4, 1)])
    (1, 2)
    """
    return len(frozenset[int]().union(*broadcast_kinds(shapes)))


def merged_rank(shapes: Sequence[Dims]) -> int:
    """Rank of an elementwise operator without dims of size 1, neighbours that broadcast in the same operands merged.

    >>> merged_rank([(2, 5, 4, 5, 2), (2, 1, 4, 1, 2)])
    5
    """
    sizes = zip(*aligned(shapes), strict=True)
    kinds = [kind for kind, dims in zip(broadcast_kinds(shapes), sizes, strict=True) if max(dims) > 1]
    return sum(1 for _ in groupby(kinds))


def merged_digits(digits: Sequence[Digit]) -> tuple[Digit, ...]:
    """The axes of a permuted value, slowest first, without those of size 1, and merged where they lie one in the other.

    >>> merged_digits([(1, 48), (3, 1), (8, 6), (2, 3)])
    ((3, 1), (16, 3))
    """
    kept: list[Digit] = []
    for size, stride in digits:
        if kept and kept[-1][1] == size * stride:
            kept[-1] = (kept[-1][0] * size, stride)
        elif size != 1:
            kept.append((size, stride))
    return tuple(kept)


def transposed(shape: Dims, perm: Sequence[int]) -> tuple[Digit, ...]:
    """The merged axes of a value of ``shape`` after a Transpose by ``perm``."""
    return merged_digits([(shape[p], prod(shape[p + 1 :])) for p in perm])


def matmul_batch_ok(left: Dims, right: Dims) -> bool:
    """Whether the batch dims of a MatMul broadcast as the bayes marches allow.

    One operand at most is stretched; the left one in all its batch dims or none; the right one may keep
    leading dims but not trailing ones (``BHDMK x B11KN`` yes, ``BHDMK x B1DKN`` no).
    """
    kinds = broadcast_kinds([left[:-2], right[:-2]])
    stretched = frozenset[int]().union(*kinds)
    if len(stretched) > 1:
        return False
    if stretched == {0}:
        return all(size == 1 for size in left[:-2])
    first = next((i for i, kind in enumerate(kinds) if kind), len(kinds))
    return all(size == 1 for size in right[:-2][first:])


@cache
def parse_form(form: str) -> tuple[tuple[str, ...], ...]:
    """The terms of every operand of a form: ``"1xMxK,KxN"`` has ``1 M K`` and ``K N``."""
    return tuple(tuple(operand.split("x")) for operand in re.sub(r"\s", "", form).split(","))


def fits_form(shapes: Sequence[Dims], form: str) -> bool:
    """Whether operand shapes have a form such as ``"1xBxMxK,1x1xKxN"``: digits as they are, a letter one size.

    >>> fits_form([(1, 8, 4, 4), (1, 8, 1, 1)], "NxCxHxW,NxCx1x1")
    True
    """
    operands = parse_form(form)
    if [len(o) for o in operands] != [len(s) for s in shapes]:
        return False
    bound: dict[str, int] = {}
    pairs = ((t, size) for o, shape in zip(operands, shapes, strict=True) for t, size in zip(o, shape, strict=True))
    return all(int(term) == size if term.isdigit() else bound.setdefault(term, size) == size for term, size in pairs)
