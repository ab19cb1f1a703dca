"""What a dilated layer costs as it is, and in the forms in which undilate writes it: all compiled.

usage: dilation_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a convolution between two 1x1 ones, with its dilation, as the same map with every smaller dilation that
undilate tries, and (of dense ones, as a dilation of 0) as the sum of a convolution for each tap. All are compiled by
the vendor's toolchain at O2, and the time of a whole frame is kept in data/efficiency/dilations.csv, beside that of our
estimate on the BPU and the nodes that stay on the CPU, whose time the compiler does not count. The dilation with which
the rule leaves each (0 for its taps) is printed behind it. Goes on where the table ends; exits with 2 without the
toolchain.
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
from onnx import numpy_helper

import surgery
from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/dilations.csv"
BEHIND = 8
CELL = 3
"""Convolutions of a network."""
MOST = 4
"""Dilations that are compiled with zeros in their place."""


class Size(NamedTuple):
    """A dilated layer: channels in and out, groups, sides of its map, kernel, dilation."""

    ins: int
    outs: int
    groups: int
    high: int
    wide: int
    kernel: int
    dilation: int


PLACES = (
    (16, 24, 1, 56, 56, 3), (64, 64, 1, 28, 28, 3), (8, 16, 1, 168, 96, 3), (32, 32, 1, 64, 64, 3),
    (256, 256, 1, 14, 14, 3), (64, 64, 64, 28, 28, 3), (672, 672, 672, 14, 14, 5), (128, 128, 128, 56, 56, 3),
)  # fmt: skip
"""A :class:`Size` each without the dilation; the seventh is that of LR-ASPP and DeepLab on a MobileNetV3 at 224x224."""
FAR = (
    (256, 256, 1, 28, 28, 3, 6), (256, 256, 1, 28, 28, 3, 12), (960, 256, 1, 14, 14, 3, 12), (64, 64, 1, 56, 56, 3, 6),
)  # fmt: skip
"""The third is that of DeepLab on a MobileNetV3 at 224x224."""
SIZES = (*(Size(*place, dilation) for place in PLACES for dilation in (2, 3, 4)), *(Size(*far) for far in FAR))


class Dilated(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated, with a dilation of ``step`` for that of the layer.

    Where ``step`` is 0 every tap is a convolution.
    """

    march: str
    ins: int
    outs: int
    groups: int
    high: int
    wide: int
    kernel: int
    dilation: int
    step: int
    compiled_us: float
    estimated_us: float
    on_cpu: int


def steps(size: Size) -> list[int]:
    """The dilations that can stand for that of a layer, itself first; 0 for its taps by themselves."""
    closer = [step for step in (2, 1) if step < size.dilation and size.dilation % step == 0]
    small = [step for step in closer if size.dilation // step <= MOST]
    return [size.dilation, *small, *([0] if size.groups == 1 and size.dilation > 2 else [])]


def network(size: Size, step: int) -> onnx.ModelProto:
    """The layer with a dilation of ``step``, zeros among its taps for that, and seeded weights."""
    net = Cells(0)
    x = net.input((1, size.ins, size.high, size.wide))
    kernel = 1 + (size.kernel - 1) * size.dilation // step if step else 1
    read, side = net.conv(x, size.ins), (kernel, kernel)
    layer = net.conv(read, size.outs, side, group=size.groups, dilation=step) if step else _by_taps(net, read, size)
    y = net.conv(layer, BEHIND)
    apart = size.dilation // step if step else 1
    net.held = [_sparse(one, apart) if one.dims[2:] == [kernel] * 2 else one for one in net.held]
    return net.model("dilated", [x], [y])


def _by_taps(net: Cells, x: str, size: Size) -> str:
    """The sum of a 1x1 convolution for every tap that meets the map."""
    shape, total = (1, size.outs, size.high, size.wide), ""
    reach = range(-(size.kernel // 2) * size.dilation, size.kernel // 2 * size.dilation + 1, size.dilation)
    for down, right in ((a, b) for a in reach for b in reach if abs(a) < size.high and abs(b) < size.wide):
        part = _cut(net, x, (down, right))
        pads = [max(0, -down), max(0, -right), max(0, down), max(0, right)]
        weight = net.weights(size.outs, size.ins, 1, 1)
        tap = net.op("Conv", [part, weight], shape, kernel_shape=[1, 1], pads=pads)
        total = net.op("Add", [total, tap], shape) if total else tap
    return total


def _cut(net: Cells, x: str, by: tuple[int, int]) -> str:
    """What a tap so far off the centre reads of a map."""
    shape = net.values[x]
    axes = [axis + 2 for axis, far in enumerate(by) if far]
    if not axes:
        return x
    begins = [max(0, by[axis - 2]) for axis in axes]
    ends = [shape[axis] + min(0, by[axis - 2]) for axis in axes]
    left = (*shape[:2], *(side - abs(far) for side, far in zip(shape[2:], by, strict=True)))
    return net.op("Slice", [x, net.ints(*begins), net.ints(*ends), net.ints(*axes)], left)


def _sparse(weight: onnx.TensorProto, apart: int) -> onnx.TensorProto:
    values = numpy_helper.to_array(weight)
    kept = np.zeros_like(values)
    kept[..., ::apart, ::apart] = values[..., ::apart, ::apart]
    return numpy_helper.from_array(kept, weight.name)


def model(_: str, *asked: int) -> Model:
    """What is compiled for a march: the numbers of a :class:`Size`, and a dilation."""
    return Model.load(network(Size(*asked[:-1]), asked[-1]))


def decided(march: str, size: Size) -> int:
    """The dilation with which tile-kernels leaves the layer; 0 for its taps by themselves."""
    before = Model.load(network(size, size.dilation))
    made = surgery.run(before, march=march, pipeline=surgery.Pipeline.of("tile-kernels"), verify="off").model
    convs = [node for node in made.nodes() if node.op == "Conv"]
    return max(int(max(node.attrs["dilations"])) for node in convs) if len(convs) == CELL else 0


def main(arguments: Sequence[str]) -> int:
    """Compile, write the table, and print what the rule makes of each."""
    asked = [(*size, step) for size in SIZES for step in steps(size)]
    code = csv_rows.extend(__doc__, arguments, OUT, Dilated, frames.more(Dilated, asked, model))
    for march, size in product(MARCHES, SIZES):
        print(march, *size, "left with a dilation of", decided(march, size))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
