"""What averages that count less at the edge cost as they are, and in the forms that compute the same: all compiled.

usage: average_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a pooling between two 1x1 convolutions as it is, as a pooling that counts its pads times a map of factors, and
as a convolution of each channel times that map, which average-by-map makes. All are compiled by the vendor's toolchain
at O2, and the time of a whole frame is kept in data/efficiency/averages.csv, beside that of our estimate on the BPU and
the nodes that stay on the CPU, whose time the compiler does not count. :func:`decided` is what the rule makes of each.
Goes on where the table ends; exits with 2 without the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import csv_rows
import numpy as np
import onnx
from cost_cells import Cells
from onnx import TensorProto, helper
from random_networks import IR, OPSET

import surgery
from surgery.cost import estimate
from surgery.ir import Model
from surgery.target import load_target, place
from surgery.toolchain import Witness

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

    @property
    def asked(self) -> tuple[str, Size, str]:
        """What was compiled for which march."""
        return self.march, Size(*self[1:6]), self.form


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
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, net.values[name]) for name in (x, y)]
    graph = helper.make_graph(net.nodes, "averages", ends[:1], ends[1:], net.held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def _held(side: int, size: Size) -> list[int]:
    """Places of the map in each window along a side."""
    first = np.arange(0, side + 2 * (size.kernel // 2) - size.kernel + 1, size.stride) - size.kernel // 2
    at = first[:, None] + np.arange(size.kernel)
    return [int(count) for count in ((at >= 0) & (at < side)).sum(axis=1)]


def choice(witness: Witness, march: str, size: Size, form: str, limit: float) -> Average | None:
    """One of the networks compiled; None where the toolchain refuses it, with a word on stderr."""
    answer = witness.compile(Model.load(network(size, form)), march, limit=limit)
    if answer.performance is None or answer.placement is None:
        print(f"{march} {size} {form}: {answer.refusal.text if answer.refusal else 'no answer'}", file=sys.stderr)
        return None
    on_cpu = sum(row.device == "cpu" for row in answer.placement.rows)
    return Average(march, *size, form, round(answer.performance.latency_us, 1), estimated(march, size, form), on_cpu)


def estimated(march: str, size: Size, form: str) -> float:
    """Microseconds of a frame on the BPU by our estimate."""
    told = estimate(place(Model.load(network(size, form)), load_target(march)))
    return round(1000 * told.compiler_ms.mid, 1)


def decided(march: str, size: Size) -> bool:
    """Whether tile-kernels writes the pooling as a convolution."""
    pipeline = surgery.Pipeline.of("tile-kernels")
    made = surgery.run(Model.load(network(size, FORMS[0])), march=march, pipeline=pipeline, verify="off").model
    return all(node.op != "AveragePool" for node in made.nodes())


def missing(witness: Witness, march: str, rows: Sequence[Average], limit: float) -> Iterator[Average]:
    """The poolings of a march that are not among ``rows``."""
    there = {row.asked for row in rows}
    asked = ((march, size, form) for size in SIZES for form in FORMS)
    made = (choice(witness, *one, limit) for one in asked if one not in there)
    return (row for row in made if row is not None)


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    return csv_rows.extend(__doc__, arguments, OUT, Average, missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
