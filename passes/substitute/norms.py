"""Division by the size of neighbours: local response and Lp normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.arithmetic import pointwise
from passes.substitute.base import Substitution, squared, wide
from passes.substitute.reductions import channels
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

WIDEST = 512
"""The most channels a window over channels is made a convolution for: its weights then take 1 MiB."""
SMALLEST = 1e-19
"""The root of the smallest normal float32: below it a sum of squares has no digits left."""


@dataclass(frozen=True)
class Local:
    """A local response normalisation: the band matrix that sums the squares, what is added, and the power."""

    node: Node
    x: Tensor
    band: np.ndarray[Any, Any]
    bias: float
    beta: float


class LRN(Substitution[Local]):
    """``LRN(x) -> x * Pow(Conv(x^2), -beta)``: a 1x1 convolution sums the window of channels.

    Its weights are alpha / size within the window, its bias that of the operator.
    """

    name, roots = "lrn", frozenset({"LRN"})

    def match(self, node: Node, ctx: Context) -> Local:
        """A wide NxCxHxW value of not too many channels, and a positive bias."""
        x = wide(node)
        need.rank(x, node, 4)
        count, bias = channels(x, node), float(ops.attr(node, "bias", 1.0))
        if count > WIDEST or bias <= 0:
            raise Mismatch(f"{count} channels and bias {bias:g}, they must be at most {WIDEST} and positive", node)
        size, alpha = int(node.attrs["size"]), float(ops.attr(node, "alpha", 1e-4))
        return Local(node, x, band(count, size) * (alpha / size), bias, float(ops.attr(node, "beta", 0.75)))

    def build(self, match: Local, rw: Rewriter) -> Tensor:
        """Four nodes."""
        weight = rw.constant(match.band[:, :, None, None], like=match.x)
        bias = rw.constant(np.full(len(match.band), match.bias), like=match.x)
        total = pointwise(rw, squared(rw, match.x), weight, bias)
        return rw.op("Mul", match.x, rw.op("Pow", total, rw.constant(-match.beta, like=match.x)))


def band(count: int, size: int) -> np.ndarray[Any, Any]:
    """Ones where channel ``column`` lies in the window of ``size`` around channel ``row``.

    >>> band(3, 2).tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
    """
    return np.triu(np.tril(np.ones((count, count)), size // 2), -((size - 1) // 2))


@dataclass(frozen=True)
class Normed:
    """A division by the norm of order 1 or 2 along one axis."""

    node: Node
    x: Tensor
    axis: int
    order: int


class LpNormalization(Substitution[Normed]):
    """``LpNormalization(x) -> x / Clip(norm, 1e-19, )`` with ``norm = Sqrt(ReduceSum(x^2))`` or ``ReduceSum(Abs(x))``.

    The Clip gives 0 for a norm of 0, as onnxruntime does.
    """

    name, roots = "lp-normalization", frozenset({"LpNormalization"})

    def match(self, node: Node, ctx: Context) -> Normed:
        """A wide operand of known rank."""
        x = wide(node)
        need.rank(x, node)
        return Normed(node, x, ops.axis(node, -1), int(ops.attr(node, "p", 2)))

    def build(self, match: Normed, rw: Rewriter) -> Tensor:
        """Four nodes or five."""
        size = rw.op("Abs", match.x) if match.order == 1 else squared(rw, match.x)
        total = build.reduce(rw, "ReduceSum", size, [match.axis])
        norm = total if match.order == 1 else rw.op("Sqrt", total)
        return rw.op("Div", match.x, build.clip(rw, norm, SMALLEST, None))
