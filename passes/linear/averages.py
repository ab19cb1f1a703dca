"""Averages whose windows hold less of the map at its edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from passes.linear.parts import Convolved, broken, convolved, static
from passes.linear.window import Array, Axis, Window
from surgery.ir import Node, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need


@dataclass(frozen=True)
class Averaged:
    """A pooling, the convolution that divides by the whole window everywhere, and what makes up for that."""

    node: Node
    conv: Convolved
    factors: Array


class AverageByMap(Rule[Averaged]):
    """``AveragePool<pads>(x)``, which divides by what its windows hold, as a convolution times a map of factors.

    ::

        y = AveragePool <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (x)

        a = Conv <group = 64, pads = [2, 2, 2, 2]> (x, W)              W: 64x1x5x5, all 1/25
        y = Mul (a, M)                                                 M: 1x1x56x28, 25 over the places in the map

    The engines of some marches divide everywhere by the same number; of windows of more than 3 the compiler makes long
    work else, and of large ones a convolution takes less than a pooling (docs/passes/tile-kernels.md). Rounding: sums
    are of products.
    """

    name, roots = "average-by-map", frozenset({"AveragePool"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING
    saves = 0.25

    def match(self, node: Node, ctx: Context) -> Averaged | Mismatch:
        """Pads that are not counted, known sizes, and a window that the march takes of a convolution."""
        pads, kernel = ops.pads(node), ops.kernel_shape(node)
        if ops.attr(node, "count_include_pad", 0) or (pads is not None and not any(pads)):
            return Mismatch("divides by the same number everywhere", node, absent=True)
        if pads is None or kernel is None or len(kernel) != 2:
            return Mismatch("its window must be known, over two axes", node)
        if set(ops.spatial(node, "dilations", 2)) != {1}:
            return Mismatch("its windows are dilated", node)
        channels = static(node.inputs[0], node)[0]
        if need.dtype(node.inputs[0], node).itemsize < 4:
            return Mismatch("is of float16, which has no precise part of a window", node)
        axes = tuple(Axis(-pad, 1, by) for pad, by in zip(pads, ops.spatial(node, "strides", 2), strict=False))
        held = _held(node, axes, kernel)
        if not held.all():
            return Mismatch("a window holds padding alone", node)
        weight = np.full((channels, 1, *kernel), 1 / prod(kernel))
        window = Window(weight, np.zeros(channels), channels, axes)
        conv = convolved(window, node.inputs[0], node.outputs[0], node)
        if limit := broken(conv, node, ctx):
            return Mismatch(f"as a convolution it would break {limit}", node)
        return Averaged(node, conv, prod(kernel) / held)

    def rewrite(self, match: Averaged, rw: Rewriter) -> None:
        """The convolution, and its product with the map."""
        node = match.node
        factors = rw.constant(match.factors, like=node.inputs[0], name=f"{node.name}/factors")
        rw.replace(node, rw.op("Mul", match.conv.build(rw, node), factors))


def _held(node: Node, axes: Sequence[Axis], kernel: Sequence[int]) -> Array:
    """(1, 1, height, width): how many places of the map lie in the window of each result."""
    sizes, outputs = static(node.inputs[0], node)[1:], static(node.outputs[0], node)[1:]
    along = [
        _within(axis, taps, size, count) for axis, taps, size, count in zip(axes, kernel, sizes, outputs, strict=True)
    ]
    return np.outer(*along)[None, None]


def _within(axis: Axis, taps: int, size: int, outputs: int) -> Array:
    """How many of ``taps`` lie within ``size`` elements, for each result."""
    at = axis.first + axis.stride * np.arange(outputs)[:, None] + np.arange(taps)
    return np.asarray(((at >= 0) & (at < size)).sum(axis=1))
