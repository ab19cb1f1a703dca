"""A network of cells in the making: what every kind of cell begins and ends with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper
from random_networks import IR, OPSET, Net, Shape

CHANNELS = (8, 16, 24, 32, 40, 48, 64, 72, 96, 100, 112, 128, 144, 160, 192, 240, 256, 320, 384, 480, 512, 768, 1024)
SIDES = (
    4, 7, 8, 10, 13, 14, 16, 17, 20, 24, 26, 28, 32, 38, 40, 48, 52, 56, 64, 75,
    80, 96, 104, 112, 128, 160, 208, 320,
)  # fmt: skip
LARGEST = 2 << 20
"""Elements of a value."""
HEAVIEST = 1 << 30
"""Multiply-accumulates of an operator."""


class Cells(Net):
    """A network of cells in the making."""

    def side(self) -> tuple[int, int]:
        """Height and width, mostly alike."""
        height = self.pick(SIDES)
        return height, height if self.chance(0.75) else self.pick(SIDES)

    def feature_of(self, limit: int = LARGEST, channels: int = 0) -> str:
        """The output of a new first convolution."""
        while True:
            (height, width), wide = self.side(), channels or self.pick(CHANNELS)
            if wide * height * width <= limit:
                break
        return self.conv(self.input((1, self.pick((8, 16, 32)), height, width)), wide, relu=True)

    def input(self, shape: Shape) -> str:
        """A graph input."""
        name = f"x{len(self.values)}"
        self.values[name] = shape
        return name

    def conv(
        self,
        x: str,
        out: int,
        kernel: Shape = (1, 1),
        stride: int = 1,
        group: int = 1,
        *,
        dilation: int = 1,
        relu: bool = False,
    ) -> str:
        """A convolution that keeps the size over its stride."""
        n, c, *sides = self.values[x]
        pads = [dilation * (k - 1) // 2 for k in kernel]
        size = [(s + 2 * p - dilation * (k - 1) - 1) // stride + 1 for s, p, k in zip(sides, pads, kernel, strict=True)]
        weight = self.weights(out, c // group, *kernel)
        made = self.op(
            "Conv", [x, weight, self.weights(out)], (n, out, *size), kernel_shape=kernel, strides=[stride] * 2,
            pads=pads * 2, group=group, dilations=[dilation] * 2,
        )  # fmt: skip
        return self.op("Relu", [made], self.values[made]) if relu else made

    def weights(self, *shape: int) -> str:
        """Random weights; drawn apart, so that the shapes that follow do not depend on how many there are."""
        rng = np.random.default_rng(len(self.held))
        return self.constant((rng.standard_normal(shape) * 0.05).astype(np.float32))

    def reshaped(self, x: str, shape: Shape) -> str:
        """A Reshape."""
        return self.op("Reshape", [x, self.ints(*shape)], shape)

    def end(self, x: str) -> None:
        """The last convolution of a cell, where it can have one."""
        if len(self.values[x]) == 4:
            self.conv(x, self.pick((8, 16, 32)))

    def model(self, name: str, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
        """The network as it is, its inputs and outputs named."""
        read, made = (
            [helper.make_tensor_value_info(one, TensorProto.FLOAT, self.values[one]) for one in names]
            for names in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, name, read, made, self.held)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
