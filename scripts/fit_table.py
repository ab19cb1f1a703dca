"""Write the tables of docs/fit.md from data/fit/*.csv, which scripts/fit_corpus.py wrote.

usage: fit_table.py [--check]

With ``--check`` it writes nothing and exits 1 if the page is not current.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import page

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data/fit"
PAGE = ROOT / "docs/fit.md"
PAIRS = (("before", "taken"), ("fits_before", "fits"))
"""Columns of the table: as exported, and after."""
MARCHES = {"bernoulli2": "X3", "bayes": "J5, Ultra", "bayes-e": "X5"}

Row = dict[str, str]


def main() -> int:
    """Write the tables, or say whether they are current."""
    found = {march: rows for march in MARCHES if (rows := read(march))}
    return page.write(PAGE, "fit_table.py", "\n".join([*totals(found), "", *models(found)]) + "\n")


def read(march: str) -> dict[str, Row]:
    """The rows of a march by model; none where it was not run."""
    path = DATA / f"{march}.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def totals(found: dict[str, dict[str, Row]]) -> Iterator[str]:
    """How many models of each folder are taken, and fit in one segment, before and after: our word, the toolchain's."""
    yield "| march | folder | models | taken | fit | taken by the toolchain itself | fit, by the toolchain itself |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for march, rows in found.items():
        for folder in sorted({name.partition("/")[0] for name in rows}):
            own = [row for name, row in rows.items() if name.startswith(f"{folder}/")]
            asked = [row for row in own if row["witness_taken"]]
            counts = [_change(own, "before", "taken"), _change(own, "fits_before", "fits")]
            counts += [_change(asked, f"witness_{a}", f"witness_{b}") for a, b in PAIRS] if asked else ["not asked"] * 2
            yield f"| {march} ({MARCHES[march]}) | {folder} | {len(own)} | {' | '.join(counts)} |"


def _change(rows: list[Row], before: str, after: str) -> str:
    first, last = (sum(row[column] == "1" for row in rows) for column in (before, after))
    return f"{first} → {last}"


def models(found: dict[str, dict[str, Row]]) -> Iterator[str]:
    """One line per model: its opset, and per march what the toolchain said last, or our own word."""
    yield f"| model | opset | {' | '.join(found)} |"
    yield f"|---|---|{'---|' * len(found)}"
    for name in sorted({name for rows in found.values() for name in rows}):
        own = [rows.get(name) for rows in found.values()]
        first = next(row for row in own if row)
        steps = first["opset"] if first["opset"] == first["to_opset"] else f"{first['opset']} → {first['to_opset']}"
        yield f"| {_escaped(name)} | {steps} | {' | '.join(_said(row) if row else '–' for row in own)} |"


def _said(row: Row) -> str:
    """Taken, with what is left on the CPU; or the reason."""
    reason = row["reason"] or row["witness_reason"]
    if row["witness_taken"] == "1" or (not row["witness_taken"] and row["taken"] == "1"):
        cpu, segments = row["witness_cpu"] or row["cpu"], row["witness_segments"] or row["segments"]
        taken = f"taken: {cpu} on the CPU, {segments} segments"
        return f"{taken}; {_escaped(reason)}" if row["reason"] else taken
    return f"refused: {_escaped(reason)}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")[:160]


if __name__ == "__main__":
    sys.exit(main())
