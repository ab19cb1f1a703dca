"""The ways to rewrite at a node, what each of them would take, and which is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from surgery.rewrite.rule import Context, Mismatch, Rule

if TYPE_CHECKING:
    from surgery.ir import Node

TRIED = 128
"""Ways of one rule that are looked at."""
PRICED = 4
"""Ways of one rule that are carried out, to be priced."""
CLEARLY = 0.9
"""Share of the time of the preferred way under which another is chosen.

Closer than that the estimate of some nodes by themselves does not tell: on bayes-e a 3x3 convolution of 9000 channels
is predicted to take 7 % less in five parts than in three, and the compiled models take 1262 and 1246 us (O2; by
scripts/cut_choices.py).
"""


@dataclass(frozen=True)
class Way:
    """One way to rewrite at a node.

    Attributes:
        rule: whose it is.
        plan: what tells it from the others of the rule; "" where a rule has one alone.
        outcome: ``chosen``; ``rejected``, which could have been done; ``refused``, which could not.
        us: predicted microseconds of what it makes, with what later rules make of that; None where that cannot be said.
        reason: why it was refused.
    """

    rule: str
    plan: str
    outcome: Literal["chosen", "rejected", "refused"]
    us: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """A way, and the match to be rewritten; a Mismatch where it is refused."""

    way: Way
    match: Any


Price = Callable[[Rule[Any], Any], "tuple[float | None, str]"]
"""Carries a match out, and takes it back: microseconds, and why it would not stay."""


def is_single(rule: Rule[Any]) -> bool:
    """Whether the rule has one way alone."""
    return type(rule).ways is Rule.ways


def found(rule: Rule[Any], node: Node, ctx: Context, price: Price) -> Iterator[Found]:
    """The ways of one rule, the preferred first; of refusals that differ in numbers alone, the first."""
    told, priced = set[str](), 0
    for plan, match in islice(_to_the_end(rule, node, ctx), TRIED):
        us, reason = (None, match.reason) if isinstance(match, Mismatch) else price(rule, match)
        if reason and (kind := re.sub(r"\d+", "", reason)) not in told:
            told.add(kind)
            yield Found(Way(rule.name, plan, "refused", None, reason), match)
        elif not reason:
            priced += 1
            yield Found(Way(rule.name, plan, "rejected", us), match)
        if priced == PRICED:
            return


def cheapest(ways: Sequence[Found]) -> Found | None:
    """The first that can be done, or another that is predicted to be clearly faster; None where none can."""
    best: Found | None = None
    for one in ways:
        if one.way.outcome != "refused" and (best is None or _beats(one.way.us, best.way.us)):
            best = one
    return best


def _beats(us: float | None, other: float | None) -> bool:
    return us is not None and other is not None and us < CLEARLY * other


def _to_the_end(rule: Rule[Any], node: Node, ctx: Context) -> Iterator[tuple[str, Any]]:
    try:
        yield from rule.ways(node, ctx)
    except Mismatch as mismatch:
        yield "", mismatch
