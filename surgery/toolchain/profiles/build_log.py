"""What hb_mapper or hb_compile print while they build: placement, the compiler's figure per segment, the level.

A part of the table that was copied without its line of headings is read, too: a name, ``BPU`` or ``CPU``, ``id(n)`` or
``--``, and a type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from surgery.toolchain.checked import named_march
from surgery.toolchain.log import TableRow, lines, table_rows
from surgery.toolchain.performance import Segment, Timeline
from surgery.toolchain.profiles.profile import Profile, ProfileError
from surgery.toolchain.profiles.units import positive
from surgery.toolchain.tables import clean, tables

_SPEED = re.compile(r"FPS=(\S+), latency = (\S+) us, DDR = (\S+) bytes(?:\s+\(see (\S+?)(?:\.html)?\))?")
_LEVEL = re.compile(r"(?:--|optimize_level['\"]?\s*:\s*['\"]?)(O[0-3])\b")
_PREFIX = re.compile(r"(?:model_prefix'|output_model_file_prefix)['\"]?\s*:\s*'?([^\s',]+)")
_ROW = re.compile(r"^\s*(\S+)\s{2,}(BPU|CPU)\s+(id\(\d{1,9}\)|--)\s+(\S+)", re.MULTILINE)
_STARTS = re.compile(r"\bhbdk version \d|\bStart hb_compile")
"""What a build says first: one file may hold several."""
_CHECKING = "model checking"
_SPOKEN = re.compile(r"hb_mapper|hbdk|hb_compile|Horizon NN|horizon_nn|model node information")
_FAILED = re.compile(r"\*\*\* ERROR-OCCUR-DURING .*")


def claims(text: str) -> bool:
    """Whether ``text`` is such a log, or a part of one."""
    return any(pattern.search(text) for pattern in (_SPEED, _ROW, _SPOKEN)) or bool(tables(text))


def read(text: str, path: str) -> Profile:
    """The profile of the last build in the log; ProfileError where there is neither a figure nor a table."""
    plain = clean(text)
    starts = [found.start() for found in _STARTS.finditer(plain)] or [0]
    parts = [plain[begin:end] for begin, end in pairwise([0, *starts[1:], len(plain)])]
    for at, part in reversed(list(enumerate(parts))):
        skipped = [f"{at} earlier builds"] if at else list[str]()
        segments, rows = _segments(part, skipped), _rows(part, skipped)
        if segments or rows:
            return _profile(part, path, segments, rows, skipped)
    raise ProfileError(f"holds neither a compiler's figure nor a placement table{_failure(plain)}")


def _profile(
    text: str, path: str, segments: tuple[Segment, ...], rows: tuple[TableRow, ...], skipped: list[str]
) -> Profile:
    levels, names = _LEVEL.findall(text), _PREFIX.findall(text)
    lowest = "O0" if _CHECKING in text else ""  # at which the checker compiles, which it does not say
    return Profile(
        path,
        "build log",
        model=names[-1] if names else "",
        march=named_march(text),
        level=levels[-1] if levels else lowest,
        segments=segments,
        rows=rows,
        skipped=tuple(skipped),
    )


def _failure(text: str) -> str:
    """What it failed by, in the log's own words."""
    said = [found[0] for found in _FAILED.finditer(text)] or [x.text for x in lines(text) if x.level == "ERROR"]
    return f"; it says: {said[-1]:.200}" if said else ""


def _segments(text: str, skipped: list[str]) -> tuple[Segment, ...]:
    """The figures of the last build: a segment of a name that was there is that of another build."""
    build: dict[str, Segment] = {}
    builds = 0
    for at, (fps, us, ddr, place) in enumerate(_SPEED.findall(text)):
        name = place.rsplit("/", 1)[-1] or f"segment {at}"
        if name in build or not build:
            build, builds = {}, builds + 1
        build[name] = _segment(name, fps, us, ddr)
    if builds > 1:
        skipped.append(f"{builds - 1} earlier builds")
    return tuple(build.values())


def _segment(name: str, fps: str, us: str, ddr: str) -> Segment:
    return Segment(
        name=name,
        latency_us=positive(us, f"latency of {name}"),
        fps=positive(fps, f"FPS of {name}"),
        ddr_bytes=int(positive(ddr, f"DDR bytes of {name}")),
        loaded_bytes=0,
        stored_bytes=0,
        ops=0,
        timeline=Timeline(0.0, (), (), ()),
        layers=(),
    )


def _rows(text: str, skipped: list[str]) -> tuple[TableRow, ...]:
    found = tables(text)
    whole = [table for table in found if table.whole]
    if len(whole) < len(found):
        skipped.append(f"{len(found) - len(whole)} tables that are cut")
    if len(whole) > 1:
        skipped.append(f"{len(whole) - 1} earlier tables")
    if whole:
        return table_rows(whole[-1].rows)
    loose = tuple(_loose(text))
    if loose:
        skipped.append("the line of headings, which is not there")
    return loose


def _loose(text: str) -> Iterator[TableRow]:
    for name, device, segment, kind in _ROW.findall(text):
        number = None if segment == "--" else int(segment[3:-1])
        yield TableRow(name, "bpu" if device == "BPU" else "cpu", number, kind)
