"""Trials that are done, in a file, so that a search that was killed goes on where it was.

One JSON object per line: the first says which search it is, each other one a choice, what became of it, and what its
metrics were of every sample. A line is
written whole and synced before the next trial counts as done; a last line that was torn off is left out. Since a
search proposes the same choices when it is begun again, looking up what is done is all that resuming takes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surgery.drift.figures import Figure
from surgery.errors import InputError
from surgery.report.tradeoff import Variant
from surgery.tradeoff.trial import Tried

KIND = "surgery.search/1"


class Journal:
    """What is done, by choice; without a file it is kept in memory alone."""

    def __init__(self, done: Mapping[str, Tried] | None = None, file: TextIOWrapper | None = None) -> None:
        self._done, self._file = dict(done or {}), file

    def get(self, key: str) -> Tried | None:
        """What became of a choice; None when it was not tried."""
        return self._done.get(key)

    def add(self, key: str, tried: Tried) -> None:
        """Keep what became of a choice."""
        self._done[key] = tried
        if self._file is not None:
            variant = tried.variant.model_dump(mode="json", by_alias=True)
            _write(self._file, {"choice": key, "variant": variant, "samples": _samples(tried)})


@contextmanager
def journal(path: Path | None, search: Mapping[str, Any]) -> Iterator[Journal]:
    """The journal in ``path``, made unless it is there; in memory for None.

    Args:
        path: the file.
        search: what decides the result of a trial: the journal of another search is refused.

    Raises:
        InputError: it cannot be read or written, is no journal, of another search, or in use.
    """
    if path is None:
        yield Journal()
        return
    head = json.loads(json.dumps({"schema": KIND, **search}))
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(path)) from error
    with file:
        _lock(file, path)
        done, end = _read(path, head)
        file.truncate(end)
        if not end:
            _write(file, head)
        yield Journal(done, file)


def _lock(file: TextIOWrapper, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError("another search is writing to it", where=str(path)) from error


def _read(path: Path, head: Mapping[str, Any]) -> tuple[dict[str, Tried], int]:
    """What is in the file, and the byte where the last whole line ends."""
    content = path.read_bytes()
    first, *rest = content[: content.rfind(b"\n") + 1].splitlines(keepends=True) or [b""]
    if not first:
        return {}, _none_of(content, path)
    _need_same(_object(first, path), head, path)
    rows = [_object(line, path) for line in rest]
    try:
        done = {str(row["choice"]): _tried(row) for row in rows}
    except (KeyError, TypeError, ValidationError) as error:
        raise InputError("is no journal of this version's searches", where=str(path)) from error
    return done, len(first) + sum(map(len, rest))


def _samples(tried: Tried) -> dict[str, dict[str, Any]]:
    return {
        kind: {name: {"of": figure.of, "rows": figure.samples} for name, figure in found.items()}
        for kind, found in tried.measured.items()
    }


def _tried(row: Mapping[str, Any]) -> Tried:
    variant = Variant.model_validate(row["variant"])
    named = {"metrics": variant.metrics, "int8": variant.int8}
    return Tried(
        variant,
        {
            kind: {name: Figure(named[kind][name], tuple(kept["rows"]), kept["of"]) for name, kept in found.items()}
            for kind, found in row["samples"].items()
        },
    )


def _none_of(content: bytes, path: Path) -> int:
    """0, the end of a file that holds nothing but the beginning of a first line of ours."""
    if content and not content.startswith(b'{"schema": "surgery.search'):
        raise InputError("is no journal of a search", where=str(path), hint="name another file")
    return 0


def _object(line: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise InputError("is no journal of a search", where=str(path), hint="name another file") from error
    if not isinstance(found, dict):
        raise InputError("is no journal of a search", where=str(path), hint="name another file")
    return found


def _need_same(found: Mapping[str, Any], head: Mapping[str, Any], path: Path) -> None:
    if found.get("schema") != KIND:
        raise InputError("is no journal of a search", where=str(path), hint="name another file")
    if odd := next((name for name in head if found.get(name) != head[name]), None):
        raise InputError(
            f"holds another search: its {odd} is {_short(found.get(odd))}, not {_short(head[odd])}",
            where=str(path),
            hint="name another file, or remove this one",
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _write(file: TextIOWrapper, content: Mapping[str, Any]) -> None:
    file.write(json.dumps(content) + "\n")
    file.flush()
    os.fsync(file.fileno())
