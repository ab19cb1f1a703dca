"""What patches in front of a transformer cost as exported, and in the stages of stage-stride: both compiled.

usage: patch_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size a convolution whose kernel is its stride over an image of 224x224, and a Relu and a 1x1 convolution behind it;
and what tile-kernels makes of these. Both are compiled by the vendor's toolchain at O2, and the time of a whole frame
is kept in data/efficiency/patches.csv, beside that of our estimate on the BPU and the nodes that stay on the CPU, whose
time the compiler does not count. Goes on where the table ends; exits with 2 without the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import csv_rows
import frames
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from random_networks import IR, OPSET

import surgery
from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/patches.csv"
SIDE, BEHIND = 224, 32
SIZES = ((16, 768), (16, 384), (16, 192), (14, 384), (8, 64), (4, 128), (4, 96), (4, 48))
"""Side of the patches and channels that come out; ViT and DeiT, DINOv2, and Swin, ConvNeXt and EdgeNeXt among them."""


class Patches(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated; ``staged`` says whether in stages."""

    march: str
    patch: int
    channels: int
    staged: int
    compiled_us: float
    estimated_us: float
    on_cpu: int


def network(patch: int, channels: int) -> onnx.ModelProto:
    """The patches of an image, and a layer that reads them, with seeded weights."""
    rng = np.random.default_rng(0)
    shapes = {"w0": (channels, 3, patch, patch), "w1": (BEHIND, channels, 1, 1)}
    held = [numpy_helper.from_array(rng.standard_normal(s).astype(np.float32) / patch, n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], "patches", strides=[patch] * 2),
        helper.make_node("Relu", ["c0"], ["r0"], "relu"),
        helper.make_node("Conv", ["r0", "w1"], ["y"], "behind"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", (1, 3, SIDE, SIDE)), ("y", (1, BEHIND, SIDE // patch, SIDE // patch)))
    ]
    graph = helper.make_graph(nodes, "patches", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def model(march: str, patch: int, channels: int, staged: int) -> Model:
    """What is compiled for a march."""
    made = Model.load(network(patch, channels))
    if not staged:
        return made
    return surgery.run(made, march=march, pipeline=surgery.Pipeline.of("tile-kernels"), verify="off").model


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    asked = [(*size, staged) for size in SIZES for staged in (0, 1)]
    return csv_rows.extend(__doc__, arguments, OUT, Patches, frames.more(Patches, asked, model))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
