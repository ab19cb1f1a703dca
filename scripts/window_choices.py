"""What windows of a map cost as attention's code writes them, and cut out as cut-windows does: both compiled.

usage: window_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a 1x1 convolution of a map, one of every window, and one of the map again, or without the way back; the windows
by Reshape, Transpose and Reshape, or by Slices and Concats. All are compiled by the vendor's toolchain at O2, and the
time of a whole frame is kept in data/efficiency/windows.csv, beside that of our estimate on the BPU and the nodes that
stay on the CPU, whose time the compiler does not count. Goes on where the table ends; exits with 2 without the
toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import csv_rows
import frames
import onnx
from cost_cells import Cells

from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/windows.csv"


class Size(NamedTuple):
    """A square map in square windows, and whether they are joined again."""

    channels: int
    side: int
    window: int
    back: int


SIZES = tuple(
    Size(*map_, back)
    for map_ in ((192, 14, 7), (64, 28, 7), (128, 16, 8), (384, 14, 7), (96, 56, 7))
    for back in (0, 1)
)


class Windows(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated; ``cut`` says whether by Slices."""

    march: str
    channels: int
    side: int
    window: int
    back: int
    cut: int
    compiled_us: float
    estimated_us: float
    on_cpu: int


def network(size: Size, cut: int) -> onnx.ModelProto:
    """The convolutions and what is between them, with seeded weights."""
    net = Cells(0)
    x = net.input((1, 16, size.side, size.side))
    read = net.conv(x, size.channels)
    y = net.conv((_cut if cut else _moved)(net, read, size), size.channels)
    if size.back:
        y = net.conv((_joined if cut else _moved_back)(net, y, size), size.channels)
    return net.model("windows", [x], [y])


def _moved(net: Cells, x: str, size: Size) -> str:
    count, channels, side = size.side // size.window, size.channels, size.window
    apart = net.reshaped(x, (1, channels, count, side, count, side))
    moved = net.op("Transpose", [apart], (1, count, count, channels, side, side), perm=[0, 2, 4, 1, 3, 5])
    return net.reshaped(moved, (count**2, channels, side, side))


def _moved_back(net: Cells, x: str, size: Size) -> str:
    count, channels, side = size.side // size.window, size.channels, size.window
    apart = net.reshaped(x, (1, count, count, channels, side, side))
    moved = net.op("Transpose", [apart], (1, channels, count, side, count, side), perm=[0, 3, 1, 4, 2, 5])
    return net.reshaped(moved, (1, channels, size.side, size.side))


def _cut(net: Cells, x: str, size: Size) -> str:
    count = size.side // size.window
    rows = _pieces(net, x, 2, count)
    windows = [one for row in rows for one in _pieces(net, row, 3, count)]
    return net.op("Concat", windows, (count**2, size.channels, size.window, size.window), axis=0)


def _joined(net: Cells, x: str, size: Size) -> str:
    count = size.side // size.window
    windows, row = _pieces(net, x, 0, count**2), (1, size.channels, size.window, size.side)
    rows = [net.op("Concat", windows[k * count : (k + 1) * count], row, axis=3) for k in range(count)]
    return net.op("Concat", rows, (1, size.channels, size.side, size.side), axis=2)


def _pieces(net: Cells, x: str, axis: int, count: int) -> list[str]:
    shape = list(net.values[x])
    shape[axis] //= count
    bounds = (range(k, k + shape[axis] + 1, shape[axis]) for k in range(0, count * shape[axis], shape[axis]))
    return [net.op("Slice", [x, *map(net.ints, (a, b, axis))], tuple(shape)) for a, b in bounds]


def model(_: str, channels: int, side: int, window: int, back: int, cut: int) -> Model:
    """What is compiled for a march."""
    return Model.load(network(Size(channels, side, window, back), cut))


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    asked = [(*size, cut) for size in SIZES for cut in (0, 1)]
    return csv_rows.extend(__doc__, arguments, OUT, Windows, frames.more(Windows, asked, model))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
