"""Places of maxima, marked by a number among others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.base import Substitution, floats, plus, times
from passes.substitute.bounds import is_finite
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

MOST = 2048
"""Channels at most: float16 counts no further, and the weights are a square of them."""
SUMS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""What is finite as long as its sums do not overflow."""


@dataclass(frozen=True)
class Marked:
    """The first largest channel of x is marked by ``on`` among ``depth``, the others hold ``off``."""

    node: Node
    x: Tensor
    depth: int
    off: float
    on: float


class OneHotOfMaximum(Substitution[Marked]):
    """``OneHot(ArgMax(x)) -> Relu(Conv1x1(Sign(x - ReduceMax(x))))``, and ``Hardmax(x)`` the same, over channels.

    The sign is 0 at a maximum and -1 elsewhere; the convolution counts the maxima before each channel, so that the
    first of equal ones is marked. Other values than 0 and 1 cost a product and a sum. The vendor's compiler
    has a Cast, a Reshape and the OneHot on the CPU of bayes-e and bayes, and no kernel for Hardmax at all.
    """

    name, roots = "one-hot-of-maximum", frozenset({"OneHot", "Hardmax"})

    def match(self, node: Node, ctx: Context) -> Marked:
        """A maximum over the channels of an NxCxHxW value that is finite; constant depth and values of a OneHot."""
        found = _hardmax(node, ctx) if node.op == "Hardmax" else _one_hot(node)
        channels = need.static(found.x, node)[1]
        if max(channels, found.depth) > MOST:
            raise Mismatch(f"{channels} channels and a depth of {found.depth}, at most {MOST} may be counted", node)
        if not is_finite(found.x) and (found.x.producer is None or found.x.producer.op not in SUMS):
            raise Mismatch(f"{found.x.name!r} may be infinite; inf - inf is no number", node)
        return found

    def build(self, match: Marked, rw: Rewriter) -> Tensor:
        """Five nodes, seven for other values than 0 and 1."""
        x = match.x
        below = rw.op("Sign", rw.op("Sub", x, build.reduce(rw, "ReduceMax", x, (1,))))
        weight, bias = first(need.static(x, match.node)[1], match.depth)
        counted = rw.op("Conv", below, rw.constant(weight, like=x), rw.constant(bias, like=x), **ONE)
        hot = rw.op("Relu", counted)
        return hot if (match.off, match.on) == (0, 1) else plus(rw, times(rw, hot, match.on - match.off), match.off)


ONE: dict[str, Any] = {
    "dilations": [1, 1], "group": 1, "kernel_shape": [1, 1], "pads": [0, 0, 0, 0], "strides": [1, 1],
}  # fmt: skip
"""Attributes of a 1x1 convolution."""


def first(channels: int, depth: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Weights (depth, channels, 1, 1) and bias (depth,) that make 1 of the first 0 among signs of 0 and -1.

    What they make of the others is at most 0. Row k computes ``(1 + s[k]) - sum(1 + s[j] for j < k)``; rows
    beyond the channels are 0.
    """
    weight = np.eye(depth, channels) - np.tril(np.ones((depth, channels)), -1)
    weight[channels:] = 0
    bias = np.where(np.arange(depth) < channels, 1.0 - np.arange(depth), 0.0)
    return weight.reshape(depth, channels, 1, 1), bias


def _hardmax(node: Node, ctx: Context) -> Marked:
    x = floats(node)
    axis, rank = ops.axis(node, -1 if ctx.opset >= 13 else 1), need.rank(x, node, 4)
    if axis != 1:
        raise Mismatch(f"the axis is {axis}, it must be 1, that of the channels", node)
    if ctx.opset < 13 and need.static(x, node)[2:] != (1,) * (rank - 2):
        raise Mismatch(f"opset {ctx.opset} marks one of all elements behind the axis, they must be of size 1", node)
    return Marked(node, x, need.static(x, node)[1], 0.0, 1.0)


def _one_hot(node: Node) -> Marked:
    source = need.producer(node, 0, "ArgMax")
    x = floats(source)
    need.rank(x, node, 4)
    depth, values = int(need.constant(node, 1).reshape(-1)[0]), need.constant(node, 2)
    places = (ops.axis(source, 0), ops.attr(source, "keepdims", 1), ops.attr(node, "axis", -1))
    if places not in ((1, 0, 1), (1, 0, -3)):
        raise Mismatch("the maximum must be over the channels, and marked in their place", node)
    if ops.attr(source, "select_last_index", 0):
        raise Mismatch("select_last_index is set, the first of equal maxima must be taken", node)
    if values.dtype != x.dtype:
        raise Mismatch(f"the values are {values.dtype}, they must be {x.dtype}", node)
    off, on = (float(value) for value in values)
    return Marked(node, x, depth, off, on)
