"""Writes ``models/detector.onnx``: an untrained detector with the head of YOLOv8, as its exporter writes it.

usage: make_detector.py [--check]

A picture of 3x64x64, three strides, three classes, boxes as distributions over 16 bins, decoded in the graph; opset 13.
Weights are seeded, so that the same bytes are written; with --check nothing is, and 1 is returned if the file differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MODEL = Path(__file__).parent.parent / "models" / "detector.onnx"
SIDE, CLASSES, BINS = 64, 3, 16
WIDTHS = {2: 8, 4: 16, 8: 16, 16: 24, 32: 32}
"""Channels by stride; the last three strides have heads."""
HEADS = (8, 16, 32)

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class Net:
    """Nodes and weights under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(3)

    def op(self, op: str, *inputs: str, name: str, **attrs: Any) -> str:
        """A node of one output ``name``."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"/{name}", **attrs))
        return name

    def const(self, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | Sequence[int]) -> str:
        """A weight; a plain list is int64."""
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def conv(self, x: str, inputs: int, outputs: int, kernel: int, stride: int, name: str) -> str:
        """A convolution that keeps the size but for its stride."""
        spread = (inputs * kernel * kernel) ** -0.5
        weight = (spread * self.rng.standard_normal((outputs, inputs, kernel, kernel))).astype(np.float32)
        bias = (0.1 * self.rng.standard_normal(outputs)).astype(np.float32)
        arguments = [x, self.const(f"{name}.weight", weight), self.const(f"{name}.bias", bias)]
        pads = [kernel // 2] * 4
        return self.op(
            "Conv", *arguments, name=name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )  # fmt: skip

    def silu(self, x: str) -> str:
        """``x * Sigmoid(x)``."""
        return self.op("Mul", x, self.op("Sigmoid", x, name=f"{x}.gate"), name=f"{x}.silu")


def detector() -> onnx.ModelProto:
    """The model."""
    net, x, channels, rows = Net(), "images", 3, []
    for stride, width in WIDTHS.items():
        x = net.silu(net.conv(x, channels, width, 3, 2, f"stem{stride}"))
        channels = width
        if stride in HEADS:
            box = net.conv(x, width, 4 * BINS, 1, 1, f"box{stride}")
            scores = net.conv(x, width, CLASSES, 1, 1, f"cls{stride}")
            joined = net.op("Concat", box, scores, name=f"level{stride}", axis=1)
            shape = net.const(f"rows{stride}.shape", np.array([1, 4 * BINS + CLASSES, -1]))
            rows.append(net.op("Reshape", joined, shape, name=f"rows{stride}"))
    _decode(net, net.op("Concat", *rows, name="levels", axis=2))
    places = sum((SIDE // stride) ** 2 for stride in HEADS)
    graph = helper.make_graph(
        net.nodes,
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + CLASSES, places])],
        net.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _decode(net: Net, levels: str) -> None:
    """Distributions to distances, distances to boxes, logits to scores."""
    parts = net.const("parts", np.array([4 * BINS, CLASSES]))
    net.nodes.append(helper.make_node("Split", [levels, parts], ["sides", "logits"], name="/split", axis=1))
    bins = net.op("Reshape", "sides", net.const("bins.shape", np.array([1, 4, BINS, -1])), name="bins")
    turned = net.op("Transpose", bins, name="turned", perm=[0, 2, 1, 3])
    soft = net.op("Softmax", turned, name="soft", axis=1)
    weights = net.const("dfl.weight", np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
    mean = net.op("Conv", soft, weights, name="dfl", kernel_shape=[1, 1])
    distances = net.op("Reshape", mean, net.const("mean.shape", np.array([1, 4, -1])), name="distances")
    halves = net.const("halves", np.array([2, 2]))
    net.nodes.append(helper.make_node("Split", [distances, halves], ["lt", "rb"], name="/halve", axis=1))
    points, strides = _points()
    centres = net.const("points", points)
    corners = [net.op("Sub", centres, "lt", name="low"), net.op("Add", centres, "rb", name="high")]
    box = net.op("Mul", net.op("Concat", *corners, name="corners", axis=1), net.const("strides", strides), name="box")
    net.op("Concat", box, net.op("Sigmoid", "logits", name="scores"), name="output0", axis=1)


def _points() -> tuple[Floats, Floats]:
    """Centres of places (x, y) and their strides, in the order of the levels."""
    points, strides = [], []
    for stride in HEADS:
        y, x = np.mgrid[: SIDE // stride, : SIDE // stride] + 0.5
        points.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride))
    return (
        np.concatenate(points, axis=1)[None].astype(np.float32),
        np.concatenate(strides)[None].astype(np.float32),
    )


def main() -> int:
    """Write the file, or say whether it is current."""
    model = detector()
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    if "--check" in sys.argv[1:]:
        return int(not MODEL.exists() or MODEL.read_bytes() != data)
    MODEL.write_bytes(data)
    print(f"{MODEL.name}: {len(data)} bytes, {len(model.graph.node)} nodes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
