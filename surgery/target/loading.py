"""March files from disk to data: read, joined with what they extend, validated, every error at its line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from surgery.errors import InputError, unknown
from surgery.target import reading, registry
from surgery.target.march import Data, Limit, March, Op, Passive, Probe, Removal, Source
from surgery.target.soundness import Keys, faults

_PROBES = TypeAdapter(dict[str, Probe])
_INNER: dict[str, type[Data]] = {
    "sources": Source, "ops": Op, "model": Limit, "placed": Limit, "every": Limit, "passive": Passive,
    "removal": Removal,
}  # fmt: skip


def load(path: Path) -> March:
    """Read and validate a march file; InputError naming the file, line and key at fault.

    The expressions of files that are not shipped are all compiled here, before anything is checked with them.
    """
    data, files = _joined(path, ())
    try:
        march = March.model_validate(data)
    except ValidationError as error:
        raise _refusal(error.errors(), files) from error
    if path.parent != registry.FOLDER and (fault := next(faults(march), None)) is not None:
        raise InputError(f"{_dotted(fault.keys)}: {fault.reason}", where=_where(files, fault.keys))
    return march


def load_probes(path: Path) -> Mapping[str, Probe]:
    """What was probed of a march, by id of the limit: ``<march>.probed.yaml`` beside its file; empty without one."""
    beside = path.with_suffix(".probed.yaml")
    if not beside.is_file():
        return {}
    try:
        return _PROBES.validate_python(reading.read(beside) or {})
    except ValidationError as error:
        raise _refusal(error.errors(), [beside], Probe) from error


def _joined(path: Path, seen: tuple[Path, ...]) -> tuple[dict[str, Any], list[Path]]:
    """The data of a file over that of the file it extends, and both files, this one first."""
    data = _mapping(path)
    data["ops"] = _single_keys(data.get("ops") or {}, path)
    parent = data.pop("extends", None)
    if parent is None:
        return data, [path]
    beside = registry.beside(path, str(parent))
    if beside is None:
        at = _where([path], ("extends",))
        known = sorted({*registry.march_names(), *(p.stem for p in path.parent.glob("*.yaml") if "." not in p.stem)})
        raise unknown("march in extends", str(parent), [name for name in known if name != path.stem], where=at)
    if beside.resolve() in (path.resolve(), *seen):
        at = _where([path], ("extends",))
        raise InputError(f"extends: the files extend each other in a cycle ({beside.name})", where=at)
    base, files = _joined(beside, (*seen, path.resolve()))
    both = [key for key in ("ops", "sources") if isinstance(base.get(key), dict) and isinstance(data.get(key), dict)]
    return {**base, **data, **{key: base[key] | data[key] for key in both}}, [path, *files]


def _mapping(path: Path) -> dict[str, Any]:
    data = reading.read(path)
    if not isinstance(data, dict) or not isinstance(data.get("ops") or {}, dict):
        raise InputError("is no march file: a mapping with march, sources and ops is expected", where=str(path))
    return data


def _single_keys(ops: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    single: dict[str, Any] = {}
    for key, entry in ops.items():
        for name in str(key).split():
            if name in single:
                raise InputError(f"ops.{name}: written twice", where=_where([path], ("ops", key)))
            single[name] = entry
    return single


def _refusal(errors: Sequence[ErrorDetails], files: Sequence[Path], root: type[Data] = March) -> InputError:
    """One error of a validation in our words: a key that is misspelt, before the one that is missing for it."""
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    keys = first["loc"]
    where = _where(files, keys)
    if first["type"] == "extra_forbidden":
        return unknown(f"key {_dotted(keys[:-1])}".rstrip(), str(keys[-1]), _fields(keys[:-1], root), where=where)
    reason = first["msg"].removeprefix("Value error, ")
    told = first["type"] in ("missing", "value_error")
    found = "" if told else f", found {_short(first['input'])}"
    return InputError(f"{_dotted(keys) or '(top level)'}: {reason}{found}", where=where)


def _fields(keys: Keys, root: type[Data]) -> list[str]:
    """The keys that are known at a place."""
    if root is not March:
        return list(root.model_fields)
    if not keys:
        return [*March.model_fields, "extends"]
    inner = Limit if "limits" in keys else _INNER[str(keys[0])]
    return list(inner.model_fields)


def _short(value: Any) -> str:
    """A value in a few characters; of a collection, which may be any size, what it is."""
    if isinstance(value, (dict, list, tuple)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


def _where(files: Sequence[Path], keys: Keys) -> str:
    """File and line of nested keys: the first file that has the entry in question."""
    for path in files:
        line, depth = reading.line_of(path, keys)
        if depth >= min(2, len(keys)):
            return f"{path}:{line}"
    return f"{files[0]}:{reading.line_of(files[0], keys)[0]}"
