"""Logs of the vendor's tools made up for tests: the columns of every generation, and lines around the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

STAMP = "2026-11-23 03:17:41,720 file: print_info_dict.py func: print_info_dict line No: 72 "
HEADING = "The main quantized node information:"
GENERATIONS = {
    "2022": ("Node", "ON", "Subgraph", "Type"),
    "checker 2024": ("Node", "ON", "Subgraph", "Type", "In/Out DataType"),
    "makertbin 2024": ("Node", "ON", "Subgraph", "Type", "Cosine Similarity", "Threshold", "In/Out DataType"),
    "makertbin 2025": ("Node", "ON", "Subgraph", "Type", "Cosine Similarity", "Threshold", "DataType"),
    "hb_compile skip": ("Node", "NodeType", "ON", "Output Data Type"),
    "hb_compile": (
        "Node", "NodeType", "ON", "Threshold", "Calibrated Cosine", "Quantized Cosine", "Output Data Type"
    ),
}  # fmt: skip
Rows = Iterable[tuple[str, str]]
"""Names and devices."""


def table(rows: Rows, columns: Sequence[str] = GENERATIONS["makertbin 2025"]) -> str:
    """The table of some rows, as the tools align it."""
    cells = [_cells(name, device) for name, device in rows]
    lines = [columns, *([row[column] for column in columns] for row in cells)]
    widths = [max(len(line[i]) for line in lines) + 2 for i in range(len(columns))]
    text = ["".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = sum(widths)
    return "\n".join(["=" * rule, text[0], "-" * rule, *text[1:]]) + "\n"


def log(rows: Rows, march: str = "bayes-e", columns: Sequence[str] = GENERATIONS["makertbin 2025"]) -> str:
    """A whole log with one table."""
    begin = f"{STAMP}Start hb_mapper....\n{STAMP}Start to compile the model with march {march}.\n" if march else ""
    return f"{begin}{STAMP}{HEADING}\n{table(rows, columns)}{STAMP}End model checking....\n"


def _cells(name: str, device: str) -> dict[str, str]:
    on_bpu = device == "bpu"
    kind = "HzLut" if on_bpu else "Softmax"
    return {
        "Node": name,
        "ON": device.upper(),
        "Subgraph": "id(0)" if on_bpu else "--",
        "Type": kind,
        "NodeType": kind,
        "Cosine Similarity": "0.999",
        "Calibrated Cosine": "0.999",
        "Quantized Cosine": "0.998",
        "Threshold": "1.5" if on_bpu else "--",
        "DataType": "int8" if on_bpu else "float",
        "In/Out DataType": "int8/int8" if on_bpu else "float/float",
        "Output Data Type": "si8" if on_bpu else "float32",
    }
