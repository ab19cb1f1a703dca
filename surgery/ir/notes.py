"""Sentences about what was done to a model, short however many things it was done to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

SHOWN = 5


def counted(sentence: str, names: Sequence[str]) -> Iterator[str]:
    """``sentence``, how many things it is about, and the first of their names; nothing when there are none.

    >>> list(counted("nodes renamed", ["a", "b"]))
    ["nodes renamed (2): 'a', 'b'"]
    """
    if names:
        yield f"{sentence} ({len(names)}): {some(names)}"


def some(names: Sequence[str]) -> str:
    """The first few of ``names``, quoted, and how many more there are."""
    shown = ", ".join(repr(n) for n in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
