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
            raise InputError(f"two packages define the pass {entry.name!r}: {_home(known)} and {_home(entry)}")
    return found


def _home(entry: EntryPoint) -> str:
    """Where a pass comes from: its module and class, and the distribution that names them."""
    return entry.value if entry.dist is None else f"{entry.value} of {entry.dist.name} {entry.dist.version}"


def names() -> list[str]:
    """The names of all passes, in alphabetical order."""
    return sorted(_entries())


def load(name: str) -> type[Pass]:
    """The class of the pass ``name``.

    Raises:
        InputError: there is none (the nearest names are offered), it cannot be imported, or it is no pass of that name.
    """
    entry = _entries().get(name)
    if entry is None:
        raise unknown("pass", name, names())
    return _class(name, entry)


@cache
def _class(name: str, entry: EntryPoint) -> type[Pass]:
    try:
        kind = entry.load()
    except Exception as error:  # a plugin may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"the pass {name!r} cannot be imported: {reason}", where=_home(entry), hint="reinstall or remove it"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Pass)) or kind.name != name:
        raise InputError(f"entry point {name!r} names {_home(entry)}, which is no pass of that name")
    return kind
