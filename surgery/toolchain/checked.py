"""A log of the vendor's checker or converter that the user has: what it says of a model, or why it cannot be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from surgery.errors import InputError
from surgery.ir.notes import some
from surgery.target import march_names
from surgery.toolchain.log import TableRow, table_rows
from surgery.toolchain.tables import Table, clean, tables
from surgery.toolchain.text import read_text

_MARCH = re.compile(r"(?:\bmarch['\"]?\s*[:=]?\s*|compilation architecture:\s*)['\"]?([\w-]+)", re.IGNORECASE)
_HINT = "it is what hb_mapper checker, hb_mapper makertbin or hb_compile prints, with the table of nodes"


@dataclass(frozen=True, slots=True)
class VendorLog:
    """The placement table of a log.

    Attributes:
        path: the file, as given.
        rows: of the last complete table.
        march: the march that the log names last in front of it, "" where it names none.
        note: which of several tables it is; "" for the only one.
    """

    path: str
    rows: tuple[TableRow, ...]
    march: str
    note: str


def read_log(path: str | PathLike[str]) -> VendorLog:
    """The last complete placement table of a log.

    Raises:
        InputError: the file cannot be read, is no text, holds no placement table or only cut ones.
    """
    place = str(path)
    text = clean(read_text(Path(path), f"--log takes a file: {_HINT}"))
    found = tables(text)
    whole = [table for table in found if table.whole]
    if not found:
        raise InputError("holds no placement table", where=place, hint=_HINT)
    if not whole:
        raise _cut(found[-1], place)
    last = whole[-1]
    before = "\n".join(text.split("\n")[: last.line])
    return VendorLog(place, table_rows(last.rows), named_march(before), _note(found, last))


def _cut(table: Table, place: str) -> InputError:
    names = [row["Node"] for row in table.rows]
    read = f"{len(names)} of its rows read, the last {names[-1]!r}" if names else "none of its rows read"
    return InputError(f"its table (line {table.line}) is cut: {read}", where=place, hint="take the whole log")


def named_march(text: str) -> str:
    """The march that a log names last; "" where it names none."""
    known = [name for name in _MARCH.findall(text) if name in march_names()]
    return known[-1] if known else ""


def _note(found: tuple[Table, ...], used: Table) -> str:
    if len(found) == 1:
        return ""
    at = found.index(used) + 1
    behind = "those behind it are cut" if at < len(found) else "the last"
    return f"table {at} of {len(found)} in the log, {behind}"


def need_march(log: VendorLog, march: str) -> None:
    """InputError where the log is of another march than ``march``; one of the user's own is taken for any."""
    if log.march and march in march_names() and log.march != march:
        hint = f"use --march {log.march}, or a log for {march}"
        raise InputError(f"is a log for {log.march}, not for {march}", where=log.path, hint=hint)


def need_model(log: VendorLog, unmatched: tuple[str, ...]) -> None:
    """InputError where half of the log's names or more are ``unmatched``: it is about another model."""
    if 2 * len(unmatched) >= len(log.rows):
        said = f"is a log of another model: {len(unmatched)} of its {len(log.rows)} names match no node"
        raise InputError(f"{said} ({some(unmatched)})", where=log.path, hint="take the log of this very file")
