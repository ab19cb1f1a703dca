"""Write the table of docs/witness.md: the toolchain's latency against public board measurements.

usage: witness_table.py [--check]

Reads data/witness/latency_o2_bayes-e.csv, the O3 rows beside it where there are some, and the shared measurements (rows
of the RDK X5 of good quality); without these it says so and exits 0. With ``--check`` it writes nothing and exits 1 if
the page is not current.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import page

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT.parent / "shared/reference/latency/measured.csv"
LEVELS = {level: ROOT / f"data/witness/latency_{level.lower()}_bayes-e.csv" for level in ("O2", "O3")}
PAGE = ROOT / "docs/witness.md"


class Pair(NamedTuple):
    """One graph: the toolchain's BPU time at two levels (None where it was not compiled), and the board's, in ms."""

    model: str
    o2: float | None
    o3: float | None
    measured: float

    @property
    def error(self) -> float:
        """Difference of the compiled time, at O3 where there is one, in per cent of the measured one."""
        return _error(self.o3 or self.o2 or 0.0, self.measured)


def _error(compiled: float, measured: float) -> float:
    return 100 * (compiled / measured - 1)


def pairs() -> Iterator[Pair]:
    """Every graph that was both compiled and measured in int8; of several measurements the median."""
    found = {level: _compiled(path) for level, path in LEVELS.items()}
    for name, times in sorted(_measured().items()):
        o2, o3 = found["O2"].get(name), found["O3"].get(name)
        if o2 or o3:
            yield Pair(name, o2, o3, median(times))


def _measured() -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for row in _rows(MEASURED):
        good = row["board"] == "RDK X5" and row["quality"] == "ok" and row["precision"] != "all_int16"
        if good and row["bpu_busy_ms"]:
            times.setdefault(row["layer_key"], []).append(float(row["bpu_busy_ms"]))
    return times


def _compiled(path: Path) -> dict[str, float]:
    rows = _rows(path) if path.exists() else ()
    return {row["model"].removeprefix("latency/"): float(row["latency_us"]) / 1000 for row in rows if row["latency_us"]}


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table(found: list[Pair]) -> str:
    """The table, the worst difference first, and what it comes to."""
    both = [pair for pair in found if pair.o2 and pair.o3]
    errors = {
        "At O2": {p.model: _error(p.o2, p.measured) for p in found if p.o2},
        "At O2, those that were compiled at O3 too": {p.model: _error(p.o2 or 0, p.measured) for p in both},
        "The same at O3": {p.model: p.error for p in both},
    }
    lines = [f"- {title}: {_summary(each)}" for title, each in errors.items() if each]
    lines += ["", "| graph | at O2, ms | at O3, ms | measured, ms | difference, % |", "|---|--:|--:|--:|--:|"]
    for p in sorted(found, key=lambda pair: -abs(pair.error)):
        lines.append(f"| {p.model} | {_ms(p.o2)} | {_ms(p.o3)} | {p.measured:.3f} | {p.error:+.1f} |")
    return "\n".join(lines) + "\n"


def _summary(errors: dict[str, float]) -> str:
    """Median, median absolute and worst of differences in per cent, by model."""
    sizes = [abs(error) for error in errors.values()]
    worst = max(errors, key=lambda name: abs(errors[name]))
    within = sum(size <= 10 for size in sizes)
    middle = f"median difference {median(errors.values()):+.1f} %, median absolute {median(sizes):.1f} %"
    return f"{len(errors)} graphs, {middle}, within 10 %: {within}, worst {errors[worst]:+.1f} % ({worst})."


def _ms(time: float | None) -> str:
    return "–" if time is None else f"{time:.3f}"


def main() -> int:
    """Write the table, or say whether it is current."""
    if not (MEASURED.exists() and LEVELS["O2"].exists()):
        print("no measurements here")
        return 0
    return page.write(PAGE, "witness_table.py", table(list(pairs())))


if __name__ == "__main__":
    sys.exit(main())
