"""What a dilated layer costs as it is, and in the forms in which undilate writes it: all compiled.

usage: dilation_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a convolution between two 1x1 ones, with its dilation, as the same map with every smaller dilation that
undilate tries, and (of dense ones, as a dilation of 0) as the sum of a convolution for each tap. All are compiled by
the vendor's toolchain at O2, and the time of a whole frame is kept in data/efficiency/dilations.csv, beside that of our
estimate on the BPU and the nodes that stay on the CPU, whose time the compiler does not count. :func:`decided` is what
the rule makes of each. Goes on where the table ends; exits with 2 without the toolchain.
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
from onnx import TensorProto, helper, numpy_helper
from random_networks import IR, OPSET

import surgery
from surgery.cost import estimate
from surgery.ir import Model
from surgery.target import load_target, place
from surgery.toolchain import Witness

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

    @property
    def asked(self) -> tuple[str, Size, int]:
        """What was compiled for which march."""
        return self.march, Size(*self[1:8]), self.step


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
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, net.values[name]) for name in (x, y)]
    apart = size.dilation // step if step else 1
    held = [_sparse(one, apart) if one.dims[2:] == [kernel] * 2 else one for one in net.held]
    graph = helper.make_graph(net.nodes, "dilated", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


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


def choice(witness: Witness, march: str, size: Size, step: int, limit: float) -> Dilated | None:
    """One of the networks compiled; None where the toolchain refuses it, with a word on stderr."""
    model = Model.load(network(size, step))
    answer = witness.compile(model, march, limit=limit)
    if answer.performance is None or answer.placement is None:
        print(f"{march} {size}: {answer.refusal.text if answer.refusal else 'no answer'}", file=sys.stderr)
        return None
    on_cpu = sum(row.device == "cpu" for row in answer.placement.rows)
    return Dilated(march, *size, step, round(answer.performance.latency_us, 1), estimated(march, size, step), on_cpu)


def estimated(march: str, size: Size, step: int) -> float:
    """Microseconds of a frame on the BPU by our estimate."""
    told = estimate(place(Model.load(network(size, step)), load_target(march)))
    return round(1000 * told.compiler_ms.mid, 1)


def decided(march: str, size: Size) -> int:
    """The dilation with which tile-kernels leaves the layer; 0 for its taps by themselves."""
    model = Model.load(network(size, size.dilation))
    made = surgery.run(model, march=march, pipeline=surgery.Pipeline.of("tile-kernels"), verify="off").model
    convs = [node for node in made.nodes() if node.op == "Conv"]
    return max(int(max(node.attrs["dilations"])) for node in convs) if len(convs) == CELL else 0


def missing(witness: Witness, march: str, rows: Sequence[Dilated], limit: float) -> Iterator[Dilated]:
    """The layers of a march that are not among ``rows``."""
    there = {row.asked for row in rows}
    asked = ((march, size, step) for size in SIZES for step in steps(size))
    made = (choice(witness, *one, limit) for one in asked if one not in there)
    return (row for row in made if row is not None)


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    return csv_rows.extend(__doc__, arguments, OUT, Dilated, missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
