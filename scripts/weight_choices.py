"""What layers of one size cost with weights of many distributions: which of them the compiler packs.

usage: weight_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per layer a convolution, a product or a depthwise convolution whose weights are normal, some of them zero, or normal
beside one weight per channel that is so many times their deviation. All are compiled by the vendor's toolchain at O2,
and the time of a whole frame is kept in data/efficiency/weights.csv, beside that of our estimate on the BPU and the
nodes that stay on the CPU, whose time the compiler does not count. Prints how many of the weights that the compiler
loads in less time the estimate does, too, and of the others. Goes on where the table ends; exits with 2 without the
toolchain.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import csv_rows
import frames
import numpy as np
import onnx
from cost_cells import Cells

from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/weights.csv"
SIDE, WIDE, FEATURES, CLASSES, BEHIND, KERNEL = 14, 512, 1024, 1000, 16, 9
LAYERS = ("3x3", "1x1", "product", "depthwise")
VALUES = (
    *(("zeros", share) for share in (0.0, 0.1, 0.15, 0.18, 0.22, 0.5, 0.9)),
    *(("peak", times) for times in (4.0, 5.0, 20.0, 80.0)),
)
DEVIATION = 0.02


class Weights(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated."""

    march: str
    layer: str
    kind: str
    amount: float
    compiled_us: float
    estimated_us: float
    on_cpu: int


def values(shape: tuple[int, ...], kind: str, amount: float) -> np.ndarray[Any, Any]:
    """Seeded weights, a row per output channel: ``amount`` of them zero, or one of ``amount`` deviations in each."""
    rng = np.random.default_rng(0)
    found = (DEVIATION * rng.standard_normal(shape)).astype(np.float32)
    if kind == "zeros":
        found[rng.random(shape) < amount] = 0
    else:
        found.reshape(shape[0], -1)[:, 0] = DEVIATION * amount
    return found


def network(layer: str, kind: str, amount: float) -> onnx.ModelProto:
    """The layer behind a 1x1 convolution."""
    net = Cells(0)
    x = net.input((1, BEHIND, SIDE, SIDE))
    read = net.conv(x, WIDE)
    if layer == "product":
        pooled = net.op("GlobalAveragePool", [read], (1, WIDE, 1, 1))
        row = net.op("Flatten", [net.conv(pooled, FEATURES)], (1, FEATURES))
        weight = net.constant(values((CLASSES, FEATURES), kind, amount))
        return net.model("weights", [x], [net.op("Gemm", [row, weight], (1, CLASSES), transB=1)])
    side, group = {"3x3": (3, 1), "1x1": (1, 1), "depthwise": (KERNEL, WIDE)}[layer]
    weight = net.constant(values((WIDE, WIDE // group, side, side), kind, amount))
    shape, window = (1, WIDE, SIDE, SIDE), {"kernel_shape": [side] * 2, "pads": [side // 2] * 4, "group": group}
    y = net.op("Conv", [read, weight], shape, **window)
    return net.model("weights", [x], [net.conv(y, BEHIND)])


def model(_: str, *asked: Any) -> Model:
    """What is compiled for a march."""
    return Model.load(network(*asked))


def main(arguments: Sequence[str]) -> int:
    """Compile, write the table, and print which the estimate has."""
    asked = [(layer, *one) for layer, one in product(LAYERS, VALUES)]
    code = csv_rows.extend(__doc__, arguments, OUT, Weights, frames.more(Weights, asked, model))
    rows = csv_rows.read(Weights, OUT)
    normal = {(row.march, row.layer): row for row in rows if (row.kind, row.amount) == VALUES[0]}
    told = Counter[tuple[bool, bool]]()
    for row in rows:
        dense = normal[row.march, row.layer]
        told[row.compiled_us < dense.compiled_us, row.estimated_us < dense.estimated_us] += 1
    for packed in (True, False):
        of = told[packed, True] + told[packed, False]
        print(f"{'packed' if packed else 'as they are'}: {told[packed, packed]} of {of}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
