"""What averages that count less at the edge cost as they are, and in the forms that compute the same: all compiled.

usage: average_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a pooling between two 1x1 convolutions as it is, as a pooling that counts its pads times a map of factors, and
as a convolution of each channel times that map, which average-by-map makes. All are compiled by the vendor's toolchain
at O2, and the time of a whole frame is kept in data/efficiency/averages.csv, beside that of our estimate on the BPU and
the nodes that stay on the CPU, whose time the compiler does not count. What the rule makes of each is printed behind
it. Goes on where the table ends; exits with 2 without the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import csv_rows
import frames
import numpy as np
import onnx
from asking import MARCHES
from cost_cells import Cells

import surgery
from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/averages.csv"
BEHIND = 32
FORMS = ("as it is", "pads counted", "convolution")


class Size(NamedTuple):
    """A pooling of a map with pads of half its side."""

    channels: int
    high: int
    wide: int
    kernel: int
    stride: int


PLACES = ((64, 56, 28), (128, 28, 28), (32, 112, 112), (256, 14, 14))
SIZES = tuple(Size(*place, *window) for place in PLACES for window in ((3, 1), (5, 1), (7, 1), (13, 1), (5, 2)))


class Average(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated."""

    march: str
    channels: int
    high: int
    wide: int
    kernel: int
    stride: int
    form: str
    compiled_us: float
    estimated_us: float
    on_cpu: int


def network(size: Size, form: str) -> onnx.ModelProto:
    """The pooling in one of the :data:`FORMS`, with seeded weights around it."""
    net, pad = Cells(0), size.kernel // 2
    x = net.input((1, 16, size.high, size.wide))
    read = net.conv(x, size.channels)
    high, wide = _held(size.high, size), _held(size.wide, size)
    shape = (1, size.channels, len(high), len(wide))
    window = {"kernel_shape": [size.kernel] * 2, "strides": [size.stride] * 2, "pads": [pad] * 4}
    if form == "convolution":
        weight = net.constant(np.full((size.channels, 1, size.kernel, size.kernel), size.kernel**-2, np.float32))
        y = net.op("Conv", [read, weight], shape, group=size.channels, **window)
    else:
        y = net.op("AveragePool", [read], shape, count_include_pad=int(form == "pads counted"), **window)
    if form != "as it is":
        factors = size.kernel**2 / np.outer(high, wide)[None, None]
        y = net.op("Mul", [y, net.constant(factors.astype(np.float32))], shape)
    y = net.conv(y, BEHIND)
    return net.model("averages", [x], [y])


def _held(side: int, size: Size) -> list[int]:
    """Places of the map in each window along a side."""
    first = np.arange(0, side + 2 * (size.kernel // 2) - size.kernel + 1, size.stride) - size.kernel // 2
    at = first[:, None] + np.arange(size.kernel)
    return [int(count) for count in ((at >= 0) & (at < side)).sum(axis=1)]


def model(_: str, channels: int, high: int, wide: int, kernel: int, stride: int, form: str) -> Model:
    """What is compiled for a march."""
    return Model.load(network(Size(channels, high, wide, kernel, stride), form))


def decided(march: str, size: Size) -> bool:
    """Whether tile-kernels writes the pooling as a convolution."""
    pipeline = surgery.Pipeline.of("tile-kernels")
    made = surgery.run(Model.load(network(size, FORMS[0])), march=march, pipeline=pipeline, verify="off").model
    return all(node.op != "AveragePool" for node in made.nodes())


def main(arguments: Sequence[str]) -> int:
    """Compile, write the table, and print what the rule makes of each."""
    asked = [(*size, form) for size in SIZES for form in FORMS]
    code = csv_rows.extend(__doc__, arguments, OUT, Average, frames.more(Average, asked, model))
    for march, size in product(MARCHES, SIZES):
        print(march, *size, "convolution" if decided(march, size) else "stays")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
