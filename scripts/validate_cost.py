"""Hold the cost estimate against public board measurements.

usage: validate_cost.py [--models]

Prints per board the error of the estimate on the measured rows whose graph is at hand (median and 90th percentile
of the absolute error, Spearman's rank correlation, share of measurements inside the interval), for BPU time and
for one-thread latency; with ``--models`` every row too. The graphs are the deployed ones, so every node counts as
placed on the BPU. Without the shared measurements it says so and exits 0.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from surgery.cost import Estimate, Interval, estimate_nodes
from surgery.ir import Model
from surgery.target.target import load_target

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
MEASURED = SHARED / "reference/latency/measured.csv"
GRAPHS = SHARED / "corpus/latency"
BOARDS = {"RDK X3": "bernoulli2", "RDK X5": "bayes-e", "RDK S100": "nash-e", "RDK S100P": "nash-m"}


class Pair(NamedTuple):
    """What was measured, and the estimate of it, in ms."""

    model: str
    measured: float
    predicted: Interval

    @property
    def error(self) -> float:
        """Relative error of the middle, in percent."""
        return 100 * (self.predicted.mid / self.measured - 1)


def rows(board: str) -> Iterator[dict[str, str]]:
    """The measurements fit for comparison: int8, of good quality, with a graph."""
    with MEASURED.open(newline="") as file:
        for row in csv.DictReader(file):
            fit = row["board"] == board and row["quality"] == "ok" and row["precision"] != "all_int16"
            if fit and (GRAPHS / f"{row['layer_key']}.onnx").is_file():
                yield row


@cache
def load(key: str) -> Model:
    """A deployed graph."""
    return Model.load(GRAPHS / f"{key}.onnx")


def predict(key: str, march: str) -> Estimate:
    """The estimate with every node on the BPU, in one segment."""
    return estimate_nodes(load(key).nodes(), lambda _: "bpu", 1, load_target(march))


def pairs(board: str, column: str, field: str) -> list[Pair]:
    """The rows of a board that have a figure in ``column``, each with ``field`` of its estimate."""
    march = BOARDS[board]
    found = [row for row in rows(board) if row[column]]
    return [Pair(r["model"], float(r[column]), getattr(predict(r["layer_key"], march), field)) for r in found]


def spearman(left: list[float], right: list[float]) -> float:
    """Rank correlation."""
    ranks = (np.argsort(np.argsort(left)), np.argsort(np.argsort(right)))
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def summary(found: list[Pair]) -> str:
    """One line of figures."""
    errors = np.abs([pair.error for pair in found])
    inside = np.mean([pair.predicted.low <= pair.measured <= pair.predicted.high for pair in found])
    width = np.median([pair.predicted.high / pair.predicted.low for pair in found])
    rho = spearman([pair.predicted.mid for pair in found], [pair.measured for pair in found])
    return (
        f"{len(found):4d} {np.median(errors):8.1f} {np.percentile(errors, 90):8.1f} {errors.max():8.1f} "
        f"{np.median([pair.error for pair in found]):+8.1f} {rho:8.3f} {100 * inside:8.0f} {width:8.2f}"
    )


def row(pair: Pair) -> str:
    """One measurement beside its estimate."""
    figures = " ".join(f"{value:9.3f}" for value in (pair.measured, *pair.predicted))
    return f"    {pair.model:32s} {figures} {pair.error:+7.1f} %"


def main(arguments: list[str]) -> int:
    """Print the tables."""
    if not MEASURED.is_file():
        print(f"no measurements at {MEASURED}: nothing to compare with")
        return 0
    print(f"{'board':10s} {'figure':8s}    n  MdAPE %    p90 %    max %   bias %      rho inside % high/low")
    for board in BOARDS:
        for column, field in (("bpu_busy_ms", "bpu_ms"), ("bpu_latency_ms", "latency_ms")):
            found = pairs(board, column, field)
            print(f"{board:10s} {field.split('_')[0]:8s} {summary(found)}")
            if "--models" in arguments:
                print("\n".join(map(row, sorted(found, key=lambda pair: pair.error))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
