"""Limits of march files, compiled: from data to checks that run in a microsecond or two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from surgery.errors import InputError
from surgery.target.expression import Expression, ExpressionError
from surgery.target.march import Limit
from surgery.target.shapes import fits_form
from surgery.target.verdict import Evidence, Violation


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

    __slots__ = ("_found", "_holds", "_when", "allowed", "constraint", "effect", "evidence", "limit", "source", "text")

    def __init__(self, limit: Limit, constraint: str, source: str, evidence: Evidence, known: Iterable[str]) -> None:
        self.limit, self.constraint, self.effect = limit, constraint, limit.effect
        self.source, self.evidence = limit.source or source, limit.evidence or evidence
        self._when = Expression(limit.when, known) if limit.when else None
        self._holds = Expression(limit.holds, known) if limit.holds else None
        subject = limit.param or ("shapes" if limit.forms else None)
        self._found = Expression(subject, known) if subject else None
        self.allowed = allowed_text(limit)
        self.text = limit.text or rule_text(limit, self.allowed)

    def __call__(self, env: Mapping[str, Any]) -> Violation | None:
        """The violation, or None where the limit holds or does not apply.

        Raises what ``env`` raises for a parameter that is not known, and InputError when an expression fails.
        """
        try:
            if (self._when is not None and not self._when(env)) or self._is_kept(env):
                return None
            return Violation(self.constraint, self._shown(env), self.allowed, self.text, self.source, self.evidence)
        except (ArithmeticError, TypeError, IndexError) as error:
            raise InputError(f"{self.constraint}: cannot be computed ({error})", where="march file") from error

    def _is_kept(self, env: Mapping[str, Any]) -> bool:
        limit = self.limit
        if self._holds is not None:
            return bool(self._holds(env))
        assert self._found is not None
        found = self._found(env)
        if limit.forms:
            return any(fits_form(found, form) for form in limit.forms)
        items = found if isinstance(found, tuple) else (found,)
        if limit.values:
            return all(item in limit.values for item in items)
        low, high = limit.min, limit.max
        return all((low is None or item >= low) and (high is None or item <= high) for item in items)

    def _shown(self, env: Mapping[str, Any]) -> str | int | float:
        if self._found is not None:
            return show(self._found(env))
        names = sorted(self._holds.names) if self._holds is not None else []
        return ", ".join(f"{name}={show(env[name])}" for name in names)


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
    low, high = (None if end is None else f"{end:g}" if end != int(end) else str(int(end)) for end in (limit.min, limit.max))
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else low if low == high else f"{low}..{high}"


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
