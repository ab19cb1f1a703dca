"""What the limits of a march speak about: names, numbers and values to try, and how they look for a node."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from math import isqrt
from typing import Any

from edge_families import Family
from edge_knobs import Size, Values

from surgery.target.expression import Expression
from surgery.target.limits import show
from surgery.target.march import Limit
from surgery.target.params import PARAMS, Params, Unknown

LARGEST = 70000
"""Of a single dim; larger numbers are made as products."""
DIVISORS = (2, 3, 4, 8, 9, 16, 25, 49, 256)
"""Parts of a number of a limit that are tried as a factor of it."""


def usual(made: Family) -> dict[str, Any]:
    """The knobs of a family as they usually are."""
    return {name: v.usual if isinstance(v, Size) else v[0] for name, v in made.knobs.items()}


def values_of(values: Values, numbers: Iterable[int]) -> list[Any]:
    """What a knob may be turned to, the numbers of a limit and those around them included."""
    if not isinstance(values, Size):
        return list(values)
    return [*dict.fromkeys((values.usual, *(n for n in numbers if values.low <= n <= LARGEST)))]


def numbers_of(limits: Iterable[Limit], *, parts: bool = True) -> set[int]:
    """Numbers that limits name, those around them, and, unless without ``parts``, what they are products of."""
    named: set[int] = set()
    for limit in limits:
        texts = (limit.param, limit.holds, limit.when)
        named |= {int(n) for n in (limit.min, limit.max) if n is not None}
        named |= {n for n in limit.values or () if isinstance(n, int)}
        named |= {n for text in texts if text for n in _literals(text)}
    large = {n for n in named if n > LARGEST}
    made = {n // d for n in named - large for d in DIVISORS if n > 16} | {isqrt(n) for n in named if n > 16}
    if large == named:
        return {1, 65536, *(n // 65536 + step for n in large for step in (0, 1))}
    made |= {n + 8 for n in named - large if n > 256}
    made |= {part for n in large for part in (65536, n // 65536, n // (1 << 20))}
    return {n + step for n in named | (made if parts or large else set()) for step in (-1, 0, 1)} | {1, 2, 3}


def _literals(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text, mode="eval")):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            yield node.value


def names_of(limit: Limit) -> list[str]:
    """The parameters that a limit speaks about, its condition aside, then those of the condition."""
    texts = [limit.param or ("shapes" if limit.forms else None), limit.holds, limit.when]
    found = {name: None for text in texts if text for name in sorted(Expression(text, PARAMS).names)}
    return list(found)


def subject(limit: Limit, params: Mapping[str, Any]) -> str:
    """What a limit is about, of one node, as text."""
    if limit.param or limit.forms:
        return str(show(Expression(limit.param or "shapes", PARAMS)(params)))
    names = sorted(Expression(limit.holds or "", PARAMS).names)
    return ", ".join(f"{name}={show(params[name])}" for name in names)


def looks(params: Params, names: Iterable[str]) -> tuple[Any, ...]:
    """The values of ``names``, None for one that has none."""
    found = []
    for name in names:
        try:
            found.append(params[name])
        except (Unknown, LookupError, ArithmeticError, ValueError):
            found.append(None)
    return tuple(found)


def gap(one: Any, other: Any) -> float:
    """How far two values are apart; words, and values of two types, by 1."""
    numbers = type(one) is int and type(other) is int
    return abs(one - other) if numbers else 1
