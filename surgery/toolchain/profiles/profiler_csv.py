"""``profiler.csv`` of ``hrt_model_exec perf --profile_path``: sections of ``key,value`` lines, each under its name.

Rows of an ``avg_time,max_time,min_time`` table, under whichever section, are entries as in ``profiler.log``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from surgery.toolchain.profiles.profile import Profile
from surgery.toolchain.profiles.profiler_log import profile

_SECTIONS = ("running_condition", "perf_result", "model_latency", "task_latency", "chip_latency", "processor_latency")


def claims(text: str) -> bool:
    """Whether ``text`` has a line that names a section, alone or in front of commas."""
    return any(line.split(",")[0].strip() in _SECTIONS for line in text.splitlines())


def read(text: str, path: str) -> Profile:
    """The profile; ProfileError where nothing in it can be used or a time cannot be."""
    skipped = list[str]()
    found: dict[str, Any] = {}
    for section, key, value in _cells(text, skipped):
        found.setdefault(section, {})[key] = value
    return profile(path, "profiler.csv", found, skipped)


def _cells(text: str, skipped: list[str]) -> Iterator[tuple[str, str, Any]]:
    section, columns = "", list[str]()
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        cells = [cell.strip() for cell in row if cell.strip()]
        if not cells:
            continue
        if cells[0] in _SECTIONS and (len(cells) == 1 or "avg_time" in cells):
            section, columns = cells[0], cells[1:]
        elif "avg_time" in cells:
            columns = cells[-3:]
        elif columns and len(cells) == len(columns) + 1:
            yield section, cells[0], dict(zip(columns, cells[1:], strict=True))
        elif section and len(cells) == 2:
            yield section, cells[0], cells[1]
        elif cells[0] != "ucp_version":
            skipped.append(f"line {number}")
