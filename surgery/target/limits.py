"""Limits of march files, compiled: from data to checks that run in a microsecond or two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any

from surgery.errors import InputError
from surgery.target.expression import Closure, Env, Expression, ExpressionError
from surgery.target.march import Limit
from surgery.target.params.core import Unknown
from surgery.target.shapes import fits_form
from surgery.target.verdict import Evidence, Violation

UNDEFINED = (ArithmeticError, TypeError, LookupError, ValueError)
"""What an expression raises that has no value for a node."""


class Check:
    """One limit of one operator, ready to be put to the parameters of a node.

    Args:
        limit: the data.
        constraint: its id, ``<Op>.<param>[.<n>]``.
        source: source of the operator's row, used where the limit names none.
        evidence: likewise.
        known: names its expressions may use.

    Raises:
        ExpressionError: when one of its expressions is not of the language.
    """

    __slots__ = ("_found", "_kept", "_when", "allowed", "constraint", "effect", "evidence", "source", "text")

    def __init__(self, limit: Limit, constraint: str, source: str, evidence: Evidence, known: Iterable[str]) -> None:
        self.constraint, self.effect = constraint, limit.effect
        self.source, self.evidence = limit.source or source, limit.evidence or evidence
        self.allowed = allowed_text(limit)
        self.text = limit.text or rule_text(limit, self.allowed)
        subject = limit.param or ("shapes" if limit.forms else None)
        holds = Expression(limit.holds, known) if limit.holds else None
        self._found = Expression(subject, known).run if subject else _facts(holds)
        self._kept = holds.run if holds else _keeper(limit, self._found)
        self._when = Expression(limit.when, known) if limit.when else None

    def __call__(self, env: dict[str, Any]) -> Violation | None:
        """The violation, or None where the limit holds or does not apply.

        Conditions are shared by many limits, so their values are kept in ``env``, under their text.
        Raises Unknown where a parameter is not known or the expression has no value for this node.
        """
        try:
            if (self._when is not None and not self._applies(self._when, env)) or self._kept(env):
                return None
            found = show(self._found(env))
        except UNDEFINED as error:
            raise Unknown(f"cannot be computed ({error})") from error
        return Violation(self.constraint, found, self.allowed, self.text, self.source, self.evidence)

    @staticmethod
    def _applies(when: Expression, env: dict[str, Any]) -> bool:
        known = env.get(when.text)
        if known is None:
            known = env[when.text] = bool(when.run(env))
        return bool(known)


def _facts(holds: Expression | None) -> Closure:
    """Shows the parameters of a condition that names no subject of its own."""
    names = sorted(holds.names) if holds else []
    return lambda env: ", ".join(f"{name}={show(env[name])}" for name in names)


def _keeper(limit: Limit, found: Closure) -> Closure:
    if limit.forms:
        forms = limit.forms
        return lambda env: any(fits_form(found(env), form) for form in forms)
    if limit.values:
        values = limit.values
        return lambda env: all(item in values for item in _items(found(env)))
    low, high = -inf if limit.min is None else limit.min, inf if limit.max is None else limit.max

    def in_range(env: Env) -> bool:
        value = found(env)
        return all(low <= item <= high for item in value) if type(value) is tuple else low <= value <= high

    return in_range


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def show(value: Any) -> str | int | float:
    """A parameter as a violation shows it: numbers and words as they are, tuples as ``3x3`` or a list."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        return "x".join(map(str, value)) or "none"
    return ", ".join(str(show(v)) for v in value) if isinstance(value, tuple) else str(value)


def allowed_text(limit: Limit) -> str:
    """What a limit allows, in a few words: ``1..31``, ``at most 8192``, ``1 or 2``, or its expression."""
    if limit.values:
        return " or ".join(str(v) for v in limit.values)
    if limit.forms:
        return " or ".join(limit.forms)
    if limit.holds:
        return limit.holds
    low, high = _number(limit.min), _number(limit.max)
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else low if low == high else f"{low}..{high}"


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return str(int(value)) if value == int(value) else f"{value:g}"


def rule_text(limit: Limit, allowed: str) -> str:
    """The limit as a sentence in general form."""
    subject = (limit.param or "operand shapes").replace("_", " ")
    where = f" where {limit.when}" if limit.when else ""
    return f"{allowed}{where}" if limit.holds else f"{subject} {allowed}{where}"


def compile_limits(
    limits: Sequence[Limit], prefix: str, source: str, evidence: Evidence, known: Iterable[str], where: str
) -> tuple[Check, ...]:
    """Checks with numbered ids for the limits of one operator (or of the model, with prefix ``model``)."""
    seen: dict[str, int] = {}
    checks: list[Check] = []
    for limit in limits:
        seen[limit.name] = count = seen.get(limit.name, 0) + 1
        constraint = f"{prefix}.{limit.name}" + (f".{count}" if count > 1 else "")
        try:
            checks.append(Check(limit, constraint, source, evidence, known))
        except ExpressionError as error:
            raise InputError(f"{constraint}: {error}", where=where) from error
    return tuple(checks)
