"""What the toolchain's log says: lines by level, the placement table, versions, the compiler's own figure.

Formats: ``reference/toolchain`` section 3.1 of the issue's material; all table variants since 2022 are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d [\d:]+,\d+ (?:file: .* message |(DEBUG|INFO|WARNING|ERROR|CRITICAL) )")
_VERSION = re.compile(r"\b(hbdk|horizon_nn|hb_mapper) version\s*:?\s+(\d\S*)")
_SPEED = re.compile(r"FPS=([\d.]+), latency = ([\d.]+) us, DDR = (\d+) bytes")
_METHOD = re.compile(r"Select (\S+) method\.")
_HEADINGS = ("The converted model node information:", "The main quantized node information:")


@dataclass(frozen=True, slots=True)
class Line:
    """One message with its level; what follows it without a prefix of its own belongs to it."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the placement table; ``name`` may be cut to ``...tail``, ``segment`` is None on the CPU."""

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
    for raw in _ANSI.sub("", text).replace("\r", "\n").splitlines():
        if found := _PREFIX.match(raw):
            if said:
                yield Line(level, "\n".join(said))
            level, said = found[1] or "INFO", [raw[found.end() :]]
        elif not raw.startswith("["):
            said.append(raw)
    if said:
        yield Line(level, "\n".join(said))


def table(text: str) -> tuple[TableRow, ...]:
    """The rows of the last placement table of a log; empty when there is none."""
    rows: list[TableRow] = []
    for line in lines(text):
        heading, _, body = line.text.partition("\n")
        if heading.strip() in _HEADINGS:
            rows = list(_rows(body.splitlines()))
    return tuple(rows)


def _rows(body: Iterable[str]) -> Iterator[TableRow]:
    columns: list[str] = []
    for raw in body:
        cells = re.split(r"\s{2,}", raw.strip())
        if not columns:
            columns = _columns(raw)
        elif set(raw.strip()) <= {"-"}:
            continue
        elif len(cells) < 4 or cells[1] not in ("BPU", "CPU"):
            return
        else:
            yield _row(dict(zip(columns, cells, strict=False)))


def _columns(raw: str) -> list[str]:
    return re.findall(r"Cosine Similarity|In/Out DataType|\w+", raw) if raw.lstrip().startswith("Node") else []


def _row(cells: dict[str, str]) -> TableRow:
    segment = re.fullmatch(r"id\((\d+)\)", cells["Subgraph"])
    return TableRow(
        name=cells["Node"],
        device="bpu" if cells["ON"] == "BPU" else "cpu",
        segment=int(segment[1]) if segment else None,
        type=cells["Type"],
        data_type=cells.get("DataType") or cells.get("In/Out DataType", ""),
        threshold=_number(cells.get("Threshold")),
        cosine=_number(cells.get("Cosine Similarity")),
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
    return dict(_VERSION.findall(_ANSI.sub("", text)))


def calibration(text: str) -> str | None:
    """The calibration method that a search has chosen."""
    found = _METHOD.search(text)
    return found[1] if found else None
