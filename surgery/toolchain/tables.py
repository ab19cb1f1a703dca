"""Placement tables in text that a tool printed and people copied: every generation of columns, wrapped or cut.

A table begins with a line of headings that holds ``Node`` and ``ON``. Columns are two blanks or more apart. Lines may
carry a stamp, be wrapped at the width of a terminal, or stand between lines of something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

STAMP = re.compile(
    r"^\d{4}-\d\d-\d\d[ T][\d:]+(?:[,.]\d+)?Z? "
    r"(?:file: .*?(?: message |line No: \d+ )(?:message )?|(DEBUG|INFO|WARNING|ERROR|CRITICAL) )"
)
"""What a logger writes in front of a message; the group is the level, if it names one."""
_OTHER = re.compile(
    r"^\[?\d{4}-\d\d-\d\d[ T][\d:]+(?:[,.]\d+)?Z?\]? |^\[?(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b\]?:? "
)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BAR = re.compile(r"^\[[=>#. ]*\] *\d+%")
_COLUMN = re.compile(
    r"Calibrated Cosine|Quantized Cosine|Cosine Similarity|In/Out DataType|Output Data Type|DataType|NodeType"
    r"|Threshold|Subgraph|Node|Type|ON"
)
_STARTED = re.compile(r"\bStart (?:hb_\w+|Model Convert)")
_GAP = re.compile(r"\s{2,}")
_WRAPPED = 4
"""Most lines into which one row can have been wrapped."""

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its rows by column, whether its end was seen, and the number of its first line, from 1."""

    rows: tuple[Cells, ...]
    whole: bool
    line: int


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    ends: bool
    """Whether no row can go on here: a message, a rule or nothing."""


def clean(text: str) -> str:
    """``text`` without colours, every state of a progress bar on a line of its own."""
    return _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def tables(text: str) -> tuple[Table, ...]:
    """The placement tables of a text, in order; empty ones that have an end are left out."""
    plain = clean(text)
    lines = [_line(raw) for raw in plain.split("\n") if not _BAR.match(raw)]
    started = _STARTED.search(plain) is not None
    heads = [number for number, line in enumerate(lines) if re.match(r"\s*Node(?:\s{2}|\s*$)", line.text)]
    found = []
    for head, end in pairwise([*heads, len(lines)]):
        table = _table(lines[head:end], head + 1, must_go_on=started and end == len(lines))
        if table is not None and (table.rows or not table.whole):
            found.append(table)
    return tuple(found)


def _line(raw: str) -> _Line:
    hit = STAMP.match(raw) or _OTHER.match(raw)
    text = raw[hit.end() :] if hit else raw
    return _Line(text, hit is not None or not text.strip() or _is_rule(text))


def _is_rule(text: str) -> bool:
    return len(text.strip()) > 2 and set(text.strip()) <= {"-", "="}


def _table(lines: Sequence[_Line], number: int, *, must_go_on: bool) -> Table | None:
    """The table whose headings are in the first of ``lines``; None where these are not those of a placement.

    ``must_go_on``: something is printed behind it, so that it is cut where nothing is.
    """
    under = next((i for i, line in enumerate(lines[: _WRAPPED + 1]) if _is_rule(line.text)), 1)
    head = [line.text for line in lines[:under]]
    columns = _GAP.split(head[0].strip()) if under == 1 else _COLUMN.findall("".join(head))
    if "ON" not in columns:
        return None
    rows, read = [], 0
    for row, behind in _rows(columns, lines[under:]):
        rows.append(row)
        read = behind
    rest = lines[under + read :] if rows else [line for line in lines[under:] if not _is_rule(line.text)]
    unread = list(takewhile(lambda line: not line.ends, rest))
    goes_on = any(line.text.strip() for line in rest[len(unread) :])
    return Table(tuple(rows), not unread and (goes_on or not must_go_on), number)


def _rows(columns: Sequence[str], lines: Sequence[_Line]) -> Iterator[tuple[Cells, int]]:
    """Each row and the index of the line behind it; what is between rows is passed over."""
    pending: list[str] = []
    for index, line in enumerate(lines):
        row = _row(columns, line.text) or _row(columns, "".join([*pending, line.text]))
        if row is not None:
            yield row, index + 1
        pending = [] if row is not None or line.ends else [*pending, line.text][-_WRAPPED:]


def _row(columns: Sequence[str], text: str) -> Cells | None:
    """The cells of a row, by column; the name may hold gaps itself. None where it is no row, or half of one."""
    text = text.strip()
    gaps = [gap.span() for gap in _GAP.finditer(text)][-(len(columns) - 1) :]
    if len(gaps) < len(columns) - 1:
        return None
    starts, ends = [0, *(end for _, end in gaps)], [*(start for start, _ in gaps), len(text)]
    cells = dict(zip(columns, (text[start:end] for start, end in zip(starts, ends, strict=True)), strict=True))
    return cells if cells["ON"] in ("BPU", "CPU") else None
