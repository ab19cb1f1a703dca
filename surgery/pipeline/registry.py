"""The catalogue of passes: names to classes, found by entry point and imported on use."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from surgery.errors import InputError, unknown
from surgery.pipeline.passes import Pass

GROUP = "surgery.passes"


@cache
def _entries() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        known = found.setdefault(entry.name, entry)
        if known.value != entry.value:
            raise InputError(f"two packages define the pass {entry.name!r}: {known.value} and {entry.value}")
    return found


def names() -> list[str]:
    """The names of all passes, in alphabetical order."""
    return sorted(_entries())


def load(name: str) -> type[Pass]:
    """The class of the pass ``name``; raises InputError with the nearest names when there is none."""
    entry = _entries().get(name)
    if entry is None:
        raise unknown("pass", name, names())
    kind = entry.load()
    if not (isinstance(kind, type) and issubclass(kind, Pass)) or kind.name != name:
        raise InputError(f"entry point {name!r} names {entry.value}, which is no pass of that name")
    return kind
