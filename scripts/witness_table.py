"""Write the table of docs/witness.md: the toolchain's latency against public board measurements.

usage: witness_table.py [--check]

Reads data/witness/latency_o2_bayes-e.csv and the shared measurements (rows of the RDK X5 of good quality); without
these it says so and exits 0. With ``--check`` it writes nothing and exits 1 if the page is not current.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT.parent / "shared/reference/latency/measured.csv"
COMPILED = ROOT / "data/witness/latency_o2_bayes-e.csv"
PAGE = ROOT / "docs/witness.md"
BEGIN, END = "<!-- table: scripts/witness_table.py -->\n", "<!-- end of table -->\n"


class Pair(NamedTuple):
    """One graph: the toolchain's BPU time, and the BPU time on the board, in ms."""

    model: str
    compiled: float
    measured: float

    @property
    def error(self) -> float:
        """Difference of the compiled time in per cent of the measured one."""
        return 100 * (self.compiled / self.measured - 1)


def pairs() -> Iterator[Pair]:
    """Every graph that was both compiled and measured in int8; of several measurements the median."""
    measured: dict[str, list[float]] = {}
    for row in _rows(MEASURED):
        if (
            row["board"] == "RDK X5"
            and row["quality"] == "ok"
            and row["precision"] != "all_int16"
            and row["bpu_busy_ms"]
        ):
            measured.setdefault(row["layer_key"], []).append(float(row["bpu_busy_ms"]))
    for row in _rows(COMPILED):
        name = row["model"].removeprefix("latency/")
        if row["latency_us"] and name in measured:
            yield Pair(name, float(row["latency_us"]) / 1000, median(measured[name]))


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table(found: list[Pair]) -> str:
    """The table, the worst difference first, and its summary."""
    errors = sorted(abs(pair.error) for pair in found)
    worst = max(found, key=lambda pair: abs(pair.error))
    within = sum(error <= 10 for error in errors)
    middle, size = median(pair.error for pair in found), median(errors)
    lines = [
        f"{len(found)} graphs: median difference {middle:+.1f} %, median absolute {size:.1f} %, within 10 %: {within};",
        f"worst {worst.error:+.1f} % ({worst.model}).",
        "",
        "| graph | compiled at O2, ms | measured, ms | difference, % |",
        "|---|--:|--:|--:|",
    ]
    ordered = sorted(found, key=lambda pair: -abs(pair.error))
    lines += [f"| {p.model} | {p.compiled:.3f} | {p.measured:.3f} | {p.error:+.1f} |" for p in ordered]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the table, or say whether it is current."""
    if not (MEASURED.exists() and COMPILED.exists()):
        print("no measurements here")
        return 0
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    text = f"{head}{BEGIN}\n{table(list(pairs()))}\n{END}{rest.partition(END)[2]}"
    if "--check" in sys.argv[1:]:
        print("current" if text == page else "docs/witness.md is not current")
        return int(text != page)
    PAGE.write_text(text, encoding="utf-8")
    print("\n".join(table(list(pairs())).splitlines()[:2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
