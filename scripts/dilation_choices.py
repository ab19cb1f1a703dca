"""What a dilated layer costs as it is, and with zeros between its taps, as stuff-dilation writes it: all compiled.

usage: dilation_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a convolution between two 1x1 ones, with its dilation, and as the same map with every smaller dilation that
stuff-dilation tries. All are compiled by the vendor's toolchain at O2, and the time of a whole frame is kept in
data/efficiency/dilations.csv, beside that of our estimate on the BPU and the nodes that stay on the CPU, whose time the
compiler does not count. :func:`decided` is what the rule makes of each. Goes on where the table ends; exits with 2
without the toolchain.
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
SIZES = tuple(Size(*place, dilation) for place in PLACES for dilation in (2, 3, 4))


class Dilated(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated, with a dilation of ``step`` for that of the layer."""

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


def steps(dilation: int) -> list[int]:
    """The dilations that can stand for one, itself first."""
    return [dilation, *(step for step in (2, 1) if step < dilation and dilation % step == 0)]


def network(size: Size, step: int) -> onnx.ModelProto:
    """The layer with a dilation of ``step``, zeros among its taps for that, and seeded weights."""
    net, apart = Cells(0), size.dilation // step
    x = net.input((1, size.ins, size.high, size.wide))
    kernel = 1 + (size.kernel - 1) * apart
    y = net.conv(net.conv(x, size.ins), size.outs, (kernel, kernel), group=size.groups, dilation=step)
    y = net.conv(y, BEHIND)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, net.values[name]) for name in (x, y)]
    held = [_sparse(one, apart) if one.dims[2:] == [kernel] * 2 else one for one in net.held]
    graph = helper.make_graph(net.nodes, "dilated", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


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
    """The dilation with which tile-kernels leaves the layer."""
    model = Model.load(network(size, size.dilation))
    made = surgery.run(model, march=march, pipeline=surgery.Pipeline.of("tile-kernels"), verify="off").model
    return max(int(max(node.attrs["dilations"])) for node in made.nodes() if node.op == "Conv")


def missing(witness: Witness, march: str, rows: Sequence[Dilated], limit: float) -> Iterator[Dilated]:
    """The layers of a march that are not among ``rows``."""
    there = {row.asked for row in rows}
    asked = ((march, size, step) for size in SIZES for step in steps(size.dilation))
    made = (choice(witness, *one, limit) for one in asked if one not in there)
    return (row for row in made if row is not None)


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    return csv_rows.extend(__doc__, arguments, OUT, Dilated, missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
