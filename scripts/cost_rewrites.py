"""Cells of what rewrites make, and few architectures have: maps spread apart, large kernels, odd channels, lines."""

from __future__ import annotations

from cost_cells import LARGEST, Cells
from onnx import helper

WIDE = (16, 24, 32, 64, 96, 128)
ODD = (3, 6, 10, 12, 18, 20, 30, 36, 42, 50, 60, 90, 100, 120)
"""Channels of parts; of many the next one begins between two multiples of eight."""
KERNELS = (9, 11, 13, 15, 17, 25)
SPREAD = ((2, 2), (2, 2), (3, 3), (3, 3), (4, 2), (4, 2), (4, 4), (8, 4))
"""Sides of kernels and strides of a depthwise ConvTranspose that makes a map larger."""


def spread(net: Cells) -> None:
    """A map made larger by a depthwise ConvTranspose, as a Resize becomes."""
    kernel, stride = net.pick(SPREAD)
    x = net.feature_of(LARGEST // 16 // stride**2)
    _, c, h, w = net.values[x]
    pad = (kernel - stride) // 2
    attrs = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": c}
    net.end(net.op("ConvTranspose", [x, net.weights(c, 1, kernel, kernel)], (1, c, stride * h, stride * w), **attrs))


def large(net: Cells) -> None:
    """A kernel as wide as dilated or merged ones become."""
    kernel = net.pick(KERNELS)
    x = net.feature_of(LARGEST // 8, net.pick(WIDE))
    _, c, h, w = net.values[x]
    depthwise = net.chance(0.4)
    if min(h, w) > kernel and (depthwise or c * 16 * kernel**2 * h * w <= 1 << 29):
        net.end(net.conv(x, c if depthwise else 16, (kernel, kernel), group=c if depthwise else 1))


def joined(net: Cells) -> None:
    """Maps of odd channels side by side."""
    size = _side(net)
    parts = [net.conv(net.input((1, 16, *size)), net.pick(ODD), relu=True) for _ in range(net.pick((2, 2, 3)))]
    net.end(net.op("Concat", parts, (1, sum(net.values[part][1] for part in parts), *size), axis=1))


def parted(net: Cells) -> None:
    """Odd channels told apart, for 1x1 kernels or depthwise ones."""
    size, each, count, depthwise = _side(net), net.pick(ODD), net.pick((2, 2, 3, 4)), net.chance(0.5)
    x = net.conv(net.input((1, 16, *size)), each * count, relu=True)
    names = [f"s{len(net.nodes)}_{at}" for at in range(count)]
    net.nodes.append(helper.make_node("Split", [x], names, f"Split_{len(net.nodes)}", axis=1, split=[each] * count))
    net.read.add(x)
    net.values |= dict.fromkeys(names, (1, each, *size))
    for name in names:
        net.end(net.conv(name, each, (3, 3), group=each) if depthwise else name)


def lines(net: Cells) -> None:
    """The rows, the columns or the channels of a map summed up."""
    x = net.feature_of(LARGEST // 8)
    shape, axis = list(net.values[x]), net.pick((1, 2, 2, 3, 3))
    shape[axis] = 1
    net.end(net.op(net.pick(("ReduceMean", "ReduceMean", "ReduceSum")), [x], tuple(shape), axes=[axis], keepdims=1))


def _side(net: Cells) -> tuple[int, int]:
    height, width = net.pick(((7, 7), (14, 14), (14, 14), (28, 28), (28, 28), (56, 28), (56, 56)))
    return height, width
