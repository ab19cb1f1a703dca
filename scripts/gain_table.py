"""Write the tables of docs/gain.md from data/gain/*.csv, which compiled_gain.py and accelerated.py wrote.

usage: gain_table.py [--check]

With ``--check`` it writes nothing and exits 1 if the page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import accelerated
import numpy as np
import page
from accelerated import Case
from compiled_gain import Row, read, totals

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/gain.md"
TABLES = {
    "accepted": "Models that were taken as exported",
    "show": "Some that were not, or only in part",
    "attention": "Attention; Softmax asked onto the BPU for yolo11 alone",
}
"""Tables under data/gain, and what they hold."""
SAME = 0.005
"""What is nearer to 1 than this is the same."""


def main() -> int:
    """Write the tables, or say whether they are current."""
    return page.write(PAGE, "gain_table.py", "\n".join(lines()) + "\n")


def lines() -> Iterator[str]:
    """A table per file, and a line about every march in it."""
    for name, title in TABLES.items():
        rows = read(ROOT / f"data/gain/{name}.csv")
        yield f"### {title}\n"
        yield "| model | march | us before | us after | | segments | on the CPU | the whole, estimated, ms |"
        yield "|---|---|--:|--:|--:|---|---|---|"
        yield from map(_line, rows)
        yield ""
        yield from (f"- {totals(rows, march)[0]}" for march in dict.fromkeys(row.march for row in rows))
        yield ""
    yield from _accelerated(accelerated.read(ROOT / "data/gain/accelerated.csv"))


def _accelerated(cases: list[Case]) -> Iterator[str]:
    """What came of every ACCELERATE rule, then the models."""
    yield "### ACCELERATE rules, each with and without\n"
    yield "| march | rule | cases | fell | the same | rose | with over without |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for march in dict.fromkeys(case.march for case in cases):
        for rule, mine in accelerated.summary(cases, march):
            yield f"| {march} | {rule} | {_counts([case.ratio or 1 for case in mine])} |"
    single = [case.ratio or 1 for march in dict.fromkeys(c.march for c in cases)
              for _, mine in accelerated.summary(cases, march) for case in mine]  # fmt: skip
    yield f"| all | all | {_counts(single)} |\n"
    yield "### ACCELERATE rules, model by model\n"
    yield "| model | march | left out | told, us | BPU, us | | on the CPU | segments |"
    yield "|---|---|---|---|---|--:|---|---|"
    yield from map(_case, cases)
    yield ""


def _counts(ratios: list[float]) -> str:
    """Cases, how many fell, stayed within :data:`SAME` and rose, and their geometric mean."""
    fell, rose = sum(ratio < 1 - SAME for ratio in ratios), sum(ratio > 1 + SAME for ratio in ratios)
    mean = np.exp(np.mean(np.log(ratios)))
    return f"{len(ratios)} | {fell} | {len(ratios) - fell - rose} | {rose} | {mean:.3f}"


def _case(case: Case) -> str:
    ratio = case.reason or "" if case.ratio is None else f"{case.ratio:.3f}"
    told = f"{case.told_without:.0f} → {case.told_with:.0f}"
    times = f"{case.us_without or '–'} → {case.us_with or '–'}"
    sides = f"{case.cpu_without} → {case.cpu_with} | {case.segments_without} → {case.segments_with}"
    return f"| {case.model} | {case.march} | {case.fired} | {told} | {times} | {ratio} | {sides} |"


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
    times = f"{row.before_us or 'refused'} | {row.after_us or 'refused'} | {ratio}"
    segments, cpu = f"{row.before_segments} → {row.after_segments}", f"{row.before_cpu} → {row.after_cpu}"
    whole = f"{row.before_ms or '–'} → {row.after_ms or '–'}"
    return f"| {row.model.partition('/')[2]} | {row.march} | {times} | {segments} | {cpu} | {whole} |"


if __name__ == "__main__":
    sys.exit(main())
