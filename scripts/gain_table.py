"""Write the tables of docs/gain.md from data/gain/*.csv, which scripts/compiled_gain.py wrote.

usage: gain_table.py [--check]

With ``--check`` it writes nothing and exits 1 if the page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import page
from compiled_gain import Row, read, totals

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/gain.md"
TABLES = {
    "accepted": "Models that were taken as exported",
    "show": "Some that were not, or only in part",
    "attention": "Attention; Softmax asked onto the BPU for yolo11 alone",
}
"""Tables under data/gain, and what they hold."""


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


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
    times = f"{row.before_us or 'refused'} | {row.after_us or 'refused'} | {ratio}"
    segments, cpu = f"{row.before_segments} → {row.after_segments}", f"{row.before_cpu} → {row.after_cpu}"
    whole = f"{row.before_ms or '–'} → {row.after_ms or '–'}"
    return f"| {row.model.partition('/')[2]} | {row.march} | {times} | {segments} | {cpu} | {whole} |"


if __name__ == "__main__":
    sys.exit(main())
