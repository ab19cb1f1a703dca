"""What the toolchain's log says: lines by level, the placement table, versions, the compiler's own figure.

Formats: those of hb_mapper's checker and makertbin; tables by :mod:`surgery.toolchain.tables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from surgery.toolchain.tables import STAMP, Cells, clean, tables

_VERSION = re.compile(r"\b(hbdk|horizon_nn|hb_mapper) version\s*:?\s+(\d\S*)")
_SPEED = re.compile(r"FPS=([\d.]+), latency = ([\d.]+) us, DDR = (\d+) bytes")
_DATA_TYPES = ("DataType", "In/Out DataType", "Output Data Type")
_METHOD = re.compile(r"Select (\S+) method\.")


@dataclass(frozen=True, slots=True)
class Line:
    """One message with its level; what follows it without a prefix of its own belongs to it."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the placement table; ``name`` may be cut to ``...tail``.

    ``segment`` is None on the CPU, and everywhere in tables without such a column.
    """

    name: str
    device: Literal["bpu", "cpu"]
    segment: int | None
    type: str
    data_type: str = ""
    threshold: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Speed:
    """The figure the compiler prints per segment: at the checker's low level it is no deployed speed."""

    fps: float
    latency_us: float
    ddr_bytes: int


def lines(text: str) -> Iterator[Line]:
    """The messages of a log, progress bars left out."""
    level, said = "", list[str]()
    for raw in clean(text).splitlines():
        if found := STAMP.match(raw):
            if said:
                yield Line(level, "\n".join(said))
            level, said = found[1] or "INFO", [raw[found.end() :]]
        elif not raw.startswith("["):
            said.append(raw)
    if said:
        yield Line(level, "\n".join(said))


def table(text: str) -> tuple[TableRow, ...]:
    """The rows of the last placement table of a log; empty when there is none."""
    found = tables(text)
    return table_rows(found[-1].rows) if found else ()


def table_rows(rows: Iterable[Cells]) -> tuple[TableRow, ...]:
    """Rows of a table, whichever columns it has."""
    return tuple(map(_row, rows))


def _row(cells: Cells) -> TableRow:
    segment = re.fullmatch(r"id\((\d{1,9})\)", cells.get("Subgraph", ""))
    types = (cells[name] for name in _DATA_TYPES if name in cells)
    return TableRow(
        name=cells["Node"],
        device="bpu" if cells["ON"] == "BPU" else "cpu",
        segment=int(segment[1]) if segment else None,
        type=cells.get("Type") or cells.get("NodeType", ""),
        data_type=next(types, ""),
        threshold=_number(cells.get("Threshold")),
        cosine=_number(cells.get("Cosine Similarity") or cells.get("Quantized Cosine")),
    )


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return None


def speeds(text: str) -> tuple[Speed, ...]:
    """The compiler's figure per segment, in order."""
    return tuple(Speed(float(f), float(us), int(ddr)) for f, us, ddr in _SPEED.findall(text))


def versions(text: str) -> dict[str, str]:
    """Versions of the tools, by name."""
    return dict(_VERSION.findall(clean(text)))


def calibration(text: str) -> str | None:
    """The calibration method that a search has chosen."""
    found = _METHOD.search(text)
    return found[1] if found else None
