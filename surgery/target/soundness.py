"""What a march file may get wrong though its shape is right: sources, expressions, limits that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from surgery.target.expression import Expression, ExpressionError
from surgery.target.facts import FACTS, PLACED
from surgery.target.march import Limit, March
from surgery.target.params import PARAMS
from surgery.target.shapes import parse_form

Keys: TypeAlias = "tuple[str | int, ...]"
_TERM = re.compile(r"\d+|[A-Za-z]\w*")
_PLACED = frozenset({"bpu", "request"})


class Fault(NamedTuple):
    """One thing that is wrong, and the keys at which it stands."""

    keys: Keys
    reason: str


def faults(march: March) -> Iterator[Fault]:
    """Everything that is wrong with a march, in the order of its file."""
    yield from _uncited(march)
    conditions = ((key, said) for key, said in march.passive if isinstance(said, dict))
    for key, said in conditions:
        for name, when in said.items():
            if when and (reason := _wrong(when, PARAMS)):
                yield Fault(("passive", key, name), reason)
    yield from _limits(("model",), march.model, FACTS)
    yield from _limits(("placed",), march.placed, PLACED)
    yield from _limits(("every",), march.every, PARAMS)
    for name, op in march.ops.items():
        yield from _limits(("ops", name, "limits"), op.limits, PARAMS)
        if op.limits and op.device not in _PLACED:
            yield Fault(("ops", name, "limits"), f"never looked at where the device is {op.device}")


def _uncited(march: March) -> Iterator[Fault]:
    for keys, source in _cited(march):
        if source and source not in march.sources:
            yield Fault(keys, f"source {source!r} is cited but not described under sources")


def _cited(march: March) -> Iterator[tuple[Keys, str]]:
    yield ("listed_in",), march.listed_in
    yield ("passive", "source"), march.passive.source
    yield ("removal", "source"), march.removal.source
    for key, limits in (("model", march.model), ("placed", march.placed), ("every", march.every)):
        yield from (((key, i, "source"), limit.source) for i, limit in enumerate(limits))
    for name, op in march.ops.items():
        yield ("ops", name, "source"), op.source
        yield from ((("ops", name, "limits", i, "source"), limit.source) for i, limit in enumerate(op.limits))


def _limits(keys: Keys, limits: Iterable[Limit], known: Iterable[str]) -> Iterator[Fault]:
    for index, limit in enumerate(limits):
        for key in ("param", "holds", "when"):
            text = getattr(limit, key)
            if text is not None and (reason := _wrong(text, known)):
                yield Fault((*keys, index, key), reason)
        for form in limit.forms or ():
            if not all(_TERM.fullmatch(term) for operand in parse_form(form) for term in operand):
                yield Fault((*keys, index, "forms"), f"{form!r} is no form: sizes and letters joined by x, as MxK,KxN")


def _wrong(text: str, known: Iterable[str]) -> str | None:
    """Why an expression cannot be used, if it cannot."""
    try:
        return None if Expression(text, known).names else f"{text!r} is the same for every node: it names no parameter"
    except ExpressionError as error:
        return str(error)
