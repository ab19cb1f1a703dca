"""Public measurements of boards, which lie beside the checkout with the graphs that were deployed."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
MEASURED = SHARED / "reference/latency/measured.csv"
GRAPHS = SHARED / "corpus/latency"
BOARDS = {"RDK X3": "bernoulli2", "RDK X5": "bayes-e", "RDK S100": "nash-e", "RDK S100P": "nash-m"}


def rows(board: str) -> Iterator[dict[str, str]]:
    """The measurements fit for comparison: int8, of good quality, with a graph."""
    with MEASURED.open(newline="") as file:
        for row in csv.DictReader(file):
            fit = row["board"] == board and row["quality"] == "ok" and row["precision"] != "all_int16"
            if fit and (GRAPHS / f"{row['layer_key']}.onnx").is_file():
                yield row
