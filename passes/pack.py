"""Make the smallest weights of a layer zero, where the march loads it in less time then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, TypeAlias

import numpy as np
from pydantic import Field

from surgery.ir import Constant, Node, ops
from surgery.pipeline import Pass
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need

Array: TypeAlias = "np.ndarray[Any, Any]"
OFF = frozenset({"cpu", "refused"})
"""Where the toolchain packs nothing."""
LARGEST = 127
"""What the largest weight of an output channel is as int8."""
LEAST = float(np.finfo(np.float32).eps)
"""The least scale that the toolchain quantises weights with."""


class PackWeights(Pass):
    """Make the smallest weights of a layer zero where the march is predicted to load it in less time then.

    The compilers of the X5 and the J5 pack the weights of a layer a fifth of which is zero as int8. A weight is small
    against the largest one of its output channel, which is how int8 sees it. What comes out is another function, so it
    needs a budget; nothing is trained or fitted afterwards.
    """

    name: ClassVar[str] = "pack-weights"
    after: ClassVar[frozenset[str]] = frozenset(
        {"fold-constants", "fuse-batchnorm", "fuse-convs", "tile-kernels", "clamp-conv-channels"}
    )

    zeros: float = Field(0.25, gt=0, lt=1)
    """Share of the weights of a layer that is zero afterwards; the compiler packs from 0.2 on."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """One rule, a layer at a time."""
        return (ZeroSmallest(self.zeros),)


@dataclass(frozen=True)
class Dense:
    """A layer, its weights, and the axis of them along which output channels lie."""

    node: Node
    weight: Constant
    axis: int


class ZeroSmallest(Rule[Dense]):
    """``Conv(x, W) -> Conv(x, V)``, V with zeros for the smallest weights; ConvTranspose, Gemm and MatMul, too.

    ::

        y = Gemm (x, W)     W: 1.27 0.9 -0.02 0.3 0.01      as int8 127 90 -2 30 1

        y = Gemm (x, V)     V: 1.27 0.9 0 0.3 0             two fifths of them zero

    A layer that has as many zeros as int8 already stays. Weights of a depthwise convolution are never packed.
    """

    name, roots = "zero-smallest", frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.APPROXIMATE
    saves = 0.1

    def __init__(self, zeros: float) -> None:
        self.zeros = zeros

    def match(self, node: Node, ctx: Context) -> Dense | Mismatch:
        """Weights of float32 that nothing else reads, with fewer zeros, of a layer on the BPU."""
        values = need.constant(node, 1)
        weight = node.inputs[1]
        assert isinstance(weight, Constant)
        if values.dtype != np.float32:
            return Mismatch(f"{weight.name!r} has dtype {values.dtype}, it must be float32", node)
        if values.ndim < 2:
            return Mismatch(f"{weight.name!r} has rank {values.ndim}, it must be 2 or more", node)
        if _is_depthwise(node, weight):
            return Mismatch("reads one channel per group, as depthwise convolutions do: that is not packed", node)
        if ctx.device(node) in OFF:
            return Mismatch("is on the CPU, only what runs on the BPU has packed weights", node)
        need.sole_reader(weight, node, ctx)
        if not np.isfinite(values).all():
            return Mismatch(f"{weight.name!r} is not finite", node)
        axis = ops.output_axis(node, weight)
        assert axis is not None
        share = float(np.mean(_levels(values, axis) <= 0.5))
        if share >= self.zeros:
            return Mismatch(f"{100 * share:.1f} % of its weights are zero as int8 already", node, absent=True)
        return Dense(node, weight, axis)

    def rewrite(self, match: Dense, rw: Rewriter) -> None:
        """The same layer with the other weights."""
        node, values = match.node, match.weight.values
        packed = np.where(smallest(_levels(values, match.axis), self.zeros), np.float32(0), values)
        weight = rw.constant(packed, name=f"{match.weight.name}/packed")
        rw.replace(node, rw.op(node.op, node.inputs[0], weight, *node.inputs[2:], heir=node, **node.attrs))


def smallest(levels: Array, share: float) -> Array:
    """Where the smallest are: ``share`` of them, rounded up.

    >>> smallest(np.array([[127.0, 3.0], [2.0, 127.0]]), 0.25)
    array([[False, False],
           [ True, False]])
    """
    flat = levels.reshape(-1)
    count = ceil(share * flat.size)
    bound = np.partition(flat, count - 1)[count - 1]
    found = flat < bound
    found[np.flatnonzero(flat == bound)[: count - int(found.sum())]] = True
    return np.asarray(found.reshape(levels.shape))


def _levels(values: Array, axis: int) -> Array:
    """How far from zero every weight is as int8, before it is rounded: the largest of its output channel is 127."""
    others = tuple(other for other in range(values.ndim) if other != axis)
    sizes = np.abs(values)
    found: Array = sizes / np.maximum(sizes.max(axis=others, keepdims=True) / LARGEST, np.float32(LEAST))
    return found


def _is_depthwise(node: Node, weight: Constant) -> bool:
    """Whether every group reads one channel."""
    if node.op == "ConvTranspose":
        return weight.shape[0] == int(ops.attr(node, "group", 1))
    return node.op == "Conv" and weight.shape[1] == 1
