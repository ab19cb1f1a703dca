"""What a strided stem on 3 channels costs as it is, and behind a SpaceToDepth on 12: both compiled.

usage: stem_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size two networks that compute the same: the stem, a 3x3 convolution with stride 2 and one with stride 1 behind it;
and the same with ``SpaceToDepth<blocksize 2>`` in front of a stem of stride 1, whose kernel is that of the stem over
blocks. Both are compiled by the vendor's toolchain at O2, and the time of a whole frame is kept in
data/efficiency/stems.csv, beside that of our estimate on the BPU. Goes on where the table ends; exits with 2 without
the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import csv_rows
import frames
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from random_networks import IR, OPSET

from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/stems.csv"
SIZES = ((7, 64, 224), (6, 32, 640), (6, 16, 320), (3, 32, 224), (3, 16, 640))
"""Side of the kernel, channels, side of the image; the stems of ResNet, YOLOv5, MobileNet and YOLOv8 among them."""

Size: TypeAlias = tuple[int, int, int]


class Stem(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated; ``blocks`` says whether behind a SpaceToDepth."""

    march: str
    kernel: int
    channels: int
    side: int
    blocks: int
    compiled_us: float
    estimated_us: float
    on_cpu: int

    @property
    def size(self) -> Size:
        """The size of the stem."""
        return self.kernel, self.channels, self.side


def blocked(weight: np.ndarray, first: int) -> tuple[np.ndarray, int]:
    """The kernel over blocks of 2x2 that computes what ``weight`` does with stride 2, and its own first tap.

    Args:
        weight: (channels out, channels in, side, side).
        first: the position of the first tap, minus the padding.

    Returns:
        (channels out, 4 x channels in, side, side) in the order of SpaceToDepth, and the position of its first tap.
    """
    outputs, inputs, side, _ = weight.shape
    start = first // 2
    before, behind = first - 2 * start, (first + side) % 2
    full = np.pad(weight, ((0, 0), (0, 0), (before, behind), (before, behind)))
    count = full.shape[2] // 2
    by_block = full.reshape(outputs, inputs, count, 2, count, 2).transpose(0, 3, 5, 1, 2, 4)
    return by_block.reshape(outputs, 4 * inputs, count, count), start


def network(kernel: int, channels: int, side: int, *, blocks: bool) -> onnx.ModelProto:
    """The stem and two layers behind it, with the same seeded weights either way."""
    rng, pad = np.random.default_rng(0), (kernel - 1) // 2
    weight = rng.standard_normal((channels, 3, kernel, kernel)).astype(np.float32) / kernel
    nodes, x, stride, pads = [], "x", 2, [pad] * 4
    if blocks:
        nodes.append(helper.make_node("SpaceToDepth", [x], ["blocks"], blocksize=2))
        weight, first = blocked(weight, -pad)
        x, stride, pads = "blocks", 1, [-first] * 2 + [weight.shape[2] - 1 + first] * 2
    nodes.append(helper.make_node("Conv", [x, "w0"], ["c0"], strides=[stride] * 2, pads=pads))
    held, previous = [numpy_helper.from_array(weight, "w0")], "c0"
    for index, step in ((1, 2), (2, 1)):
        following = rng.standard_normal((channels, channels, 3, 3)).astype(np.float32) / channels
        held.append(numpy_helper.from_array(following, f"w{index}"))
        nodes.append(helper.make_node("Relu", [previous], [f"r{index}"]))
        previous = f"c{index}"
        nodes.append(helper.make_node("Conv", [f"r{index}", f"w{index}"], [previous], strides=[step] * 2, pads=[1] * 4))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", (1, 3, side, side)), (previous, (1, channels, side // 4, side // 4)))
    ]
    graph = helper.make_graph(nodes, "stem", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def model(_: str, kernel: int, channels: int, side: int, blocks: int) -> Model:
    """What is compiled for a march."""
    return Model.load(network(kernel, channels, side, blocks=bool(blocks)))


def read(path: Path = OUT) -> list[Stem]:
    """The rows of a table."""
    return csv_rows.read(Stem, path)


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    asked = [(*size, blocks) for size in SIZES for blocks in (0, 1)]
    return csv_rows.extend(__doc__, arguments, OUT, Stem, frames.more(Stem, asked, model))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
