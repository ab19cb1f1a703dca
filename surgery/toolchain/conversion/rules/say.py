"""How rules word what they find."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from surgery.toolchain.conversion.finding import Edit, Finding, KeyPath, Put, Severity
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined

LONGEST = 60
"""Characters of a value that a sentence quotes."""


def error(
    settings: Settings,
    rule: str,
    path: KeyPath,
    text: str,
    *,
    fix: str = "",
    edits: tuple[Edit, ...] = (),
    severity: Severity = Severity.ERROR,
    source: str = "",
) -> Finding:
    """A finding of :attr:`Severity.ERROR` unless another is named; its source is that of the key unless named.

    Where ``edits`` repair it, ``fix`` may be left out: the edits say what they do.
    """
    facts = settings.tool.key(str(path[1])) if len(path) > 1 else None
    named = source or (facts.source if facts is not None else next(iter(settings.tool.sources)))
    return Finding(rule, path, severity, text, named, fix or "; ".join(map(str, edits)), edits)


def warning(
    settings: Settings, rule: str, path: KeyPath, text: str, *, fix: str = "", edits: tuple[Edit, ...] = ()
) -> Finding:
    """A finding of :attr:`Severity.WARNING`."""
    return error(settings, rule, path, text, fix=fix, edits=edits, severity=Severity.WARNING)


def quoted(value: object) -> str:
    """A value as it stands in a sentence, cut when it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def near(name: str, known: Iterable[str]) -> str:
    """The one name that is meant by a misspelt one, "" where that is not clear.

    >>> near("optimise_level", ["optimize_level", "debug"]), near("nv21", ["nv12", "rgb"]), near("x", ["nv12"])
    ('optimize_level', 'nv12', '')
    """
    names = list(known)
    same = [one for one in names if one.lower() == name.lower()]
    found = same or difflib.get_close_matches(name, names, n=2, cutoff=0.7)
    return found[0] if found else ""


def replaced(settings: Settings, key: str, index: int, value: str) -> Put:
    """The edit that changes one value of a list."""
    found = list(settings.parts(key))
    found[index] = value
    return Put(settings.path(key), joined(found))
