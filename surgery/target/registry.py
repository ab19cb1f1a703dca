"""The catalogue of marches: those that come with the package, those that plugins name, and files of a user.

A plugin names its marches by entry point, in the group ``surgery.marches``: ``my-npu = my_package:npu.yaml`` for a
file in its package, or ``my-npu = my_package.chips:NPU`` for a path that a module holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from surgery.errors import InputError, unknown
from surgery.target import reading

GROUP = "surgery.marches"
FOLDER = Path(__file__).parent / "marches"
SUFFIXES = (".yaml", ".yml")


@cache
def _entries() -> Mapping[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        known = found.setdefault(entry.name, entry)
        if known.value != entry.value:
            raise InputError(f"two packages define the march {entry.name!r}: {_home(known)} and {_home(entry)}")
        if entry.name in _shipped():
            raise InputError(f"the march {entry.name!r} comes with surgery, and {_home(entry)} defines it too")
    return found


def _home(entry: EntryPoint) -> str:
    """Where a march comes from: module and path, and the distribution that names them."""
    return entry.value if entry.dist is None else f"{entry.value} of {entry.dist.name} {entry.dist.version}"


@cache
def _shipped() -> Mapping[str, Path]:
    return {p.stem: p for p in FOLDER.glob("*.yaml") if "." not in p.stem and not p.stem.startswith("_")}


def march_names() -> list[str]:
    """The names of all marches, in alphabetical order."""
    return sorted({*_shipped(), *_entries()})


@cache
def path_of(name: str) -> Path:
    """The file of the march ``name``; InputError when a plugin names a file that is not there."""
    if name in _shipped():
        return _shipped()[name]
    entry = _entries()[name]
    try:
        path = _named(entry)
    except Exception as error:  # a plugin may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise _broken(entry, f"cannot be found: {reason}") from error
    if not path.is_file() or path.suffix not in SUFFIXES:
        raise _broken(entry, f"is in no YAML file on disk ({path})")
    if (said := _read(path).get("march")) != name:
        raise _broken(entry, f"calls itself {said!r}")
    return path


def _named(entry: EntryPoint) -> Path:
    module, _, rest = entry.value.partition(":")
    if rest.strip().endswith(SUFFIXES):
        return Path(str(files(module.strip()) / rest.strip()))
    return Path(getattr(import_module(module.strip()), rest.strip()))


def _broken(entry: EntryPoint, what: str) -> InputError:
    return InputError(f"the march {entry.name!r} {what}", where=_home(entry), hint="reinstall or remove it")


def aliases() -> dict[str, str]:
    """Board and chip names in lower case, and the march of each; InputError when two marches share one."""
    found: dict[str, str] = {}
    for name in march_names():
        for alias in map(str.lower, _names_of(name)):
            if found.setdefault(alias, name) != name:
                raise InputError(f"{alias!r} is a name of two marches, {found[alias]} and {name}")
    return found


@cache
def _names_of(name: str) -> tuple[str, ...]:
    data = _read(path_of(name))
    lists = [data[key] for key in ("aliases", "boards") if isinstance(data.get(key), list)]
    return tuple(str(alias) for names in lists for alias in names)


def _read(path: Path) -> Mapping[str, Any]:
    data = reading.read(path)
    if not isinstance(data, dict):
        raise InputError("is no march file: a mapping with march, sources and ops is expected", where=str(path))
    return data


def beside(path: Path, name: str) -> Path | None:
    """The file that ``name`` means in ``path``: another beside it, a march by name, or itself; None without any."""
    own = [p for s in SUFFIXES if (p := path.parent / f"{name}{s}").is_file()]
    other = next((p for p in own if p.resolve() != path.resolve()), None)
    named = path_of(name) if other is None and name in march_names() else None
    return other or named or next(iter(own), None)


def find(name: str) -> Path:
    """The file of a march, alias or path; InputError with the nearest names when there is none."""
    if name in _shipped():
        return path_of(name)
    if name.endswith(SUFFIXES):
        path = Path(name)
        if not path.is_file():
            raise InputError("no such march file", where=name)
        return path
    if name.lower() in march_names():
        return path_of(name.lower())
    if name in march_names():
        return path_of(name)
    known = aliases()
    if name.lower() in known:
        return path_of(known[name.lower()])
    raise unknown("march", name, [*march_names(), *(a for n in march_names() for a in _names_of(n))])
