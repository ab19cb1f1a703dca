"""Quantise and dequantise nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surgery.ir import Constant, Node, Tensor, Value
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

MOVED = ("MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather")
"""Operators that only choose or arrange elements, so that they may follow dequantising instead of preceding it."""
BOUNDED = frozenset({"Relu", "Sigmoid", "Softmax", "HardSigmoid"})
"""Operators whose results are never negative."""

Array = np.ndarray[Any, Any]


def levels(node: Node, scale: int, zero: int) -> tuple[Array, Array]:
    """Scale (float64) and zero point (int64) of a quantise or dequantise node, which must be constant."""
    by = need.constant(node, scale).astype(np.float64)
    at = np.zeros(by.shape, np.int64) if node.input(zero) is None else need.constant(node, zero).astype(np.int64)
    return by, at


def dequantised(array: Array, scale: Array, zero: Array, axis: int) -> Array:
    """``(array - zero) * scale`` in float64, per ``axis`` where the scale has more than one element."""
    shape = [1] * array.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    return np.asarray((array.astype(np.int64) - zero.reshape(shape if zero.size > 1 else ())) * scale.reshape(
        shape if scale.size > 1 else ()))  # fmt: skip


@dataclass(frozen=True)
class Weight:
    """A dequantise node, and what it makes of its constant."""

    node: Node
    array: Array


class Dequantise(Rule[Weight]):
    """``DequantizeLinear(W) -> (W - zero) * scale``, computed here, where W is constant."""

    name, roots = "dequantise-constant", frozenset({"DequantizeLinear"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Weight | Mismatch:
        """Everything it reads is constant, and in one scale or one per channel."""
        if node.attrs.get("block_size"):
            return Mismatch("has a scale per block, it must have one or one per channel", node)
        dtype = node.outputs[0].dtype
        if dtype is None or dtype.kind != "f":
            return Mismatch(f"gives {dtype}, it must give floats", node)
        need.dtype(node.inputs[0], node, "iu")
        array, axis = need.constant(node, 0), int(node.attrs.get("axis", 1))
        scale, zero = levels(node, 1, 2)
        if scale.size > 1 and not (-array.ndim <= axis < array.ndim and array.shape[axis] == scale.size):
            return Mismatch(f"has {scale.size} scales along axis {axis} of {array.shape}", node)
        return Weight(node, dequantised(array, scale, zero, axis).astype(dtype))

    def rewrite(self, match: Weight, rw: Rewriter) -> None:
        """A constant under the name of the quantised one."""
        rw.replace(match.node, rw.constant(match.array, name=match.node.inputs[0].name))


@dataclass(frozen=True)
class Moved:
    """A dequantise node, and the operator that it follows."""

    node: Node
    mover: Node


class SinkDequantise(Rule[Moved]):
    """``DequantizeLinear(MaxPool(q)) -> MaxPool(DequantizeLinear(q))``, as for every operator that only moves elements.

    What reads the moved elements may dequantise them in several places.
    """

    name, roots = "dequantise-first", frozenset({"DequantizeLinear"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Moved | Mismatch:
        """One scale for all elements, and a mover that only what dequantises reads."""
        mover = need.producer(node, 0, *MOVED)
        if (other := _float_reader(node.inputs[0], ctx)) is not None:
            return Mismatch(f"{other} reads {node.inputs[0].name!r} in its quantised form", node)
        scale, _ = levels(node, 1, 2)
        if scale.size > 1:
            return Mismatch("has a scale per channel, it must have one", node)
        if mover.graph is not node.graph or isinstance(mover.inputs[0], Constant):
            return Mismatch(f"{mover.name!r} moves a constant, or is in another graph", node)
        return Moved(node, mover)

    def rewrite(self, match: Moved, rw: Rewriter) -> None:
        """The mover after a dequantise node of its own."""
        node, mover = match.node, match.mover
        levels_of = [None if t.is_empty() else t for t in node.inputs[1:]]
        value = rw.op("DequantizeLinear", mover.inputs[0], *levels_of, heir=node, **node.attrs)
        others = [None if t.is_empty() else t for t in mover.inputs[1:]]
        rw.replace(node, rw.op(mover.op, value, *others, heir=mover, **mover.attrs))


def _float_reader(tensor: Tensor, ctx: Context) -> str | None:
    """What reads ``tensor`` and will never dequantise it."""
    if ctx.is_output(tensor):
        return "the caller"
    readers = (node for node in tensor.consumers if node.op != "DequantizeLinear" and not node.op.startswith("Q"))
    return next((repr(node.name) for node in readers), None)


@dataclass(frozen=True)
class Pair:
    """A quantise node, the dequantise node that reads it, and the bounds of what can be told apart."""

    quantise: Node
    dequantise: Node
    low: float
    high: float


class DropPair(Rule[Pair]):
    """``DequantizeLinear(QuantizeLinear(x)) -> x``, or ``Relu(x)`` where the range begins at 0.

    Approximate: x was rounded to steps, and cut off at the ends of the range; with ``clip`` it still is cut off.
    """

    name, roots = "drop-pair", frozenset({"DequantizeLinear"})
    purpose, exactness = Purpose.NORMALISE, Exactness.APPROXIMATE

    def __init__(self, *, clip: bool = False) -> None:
        self.clip = clip

    def match(self, node: Node, ctx: Context) -> Pair | Mismatch:
        """Both have the same constant scale, one for all elements, and are in one graph."""
        quantise = need.producer(node, 0, "QuantizeLinear")
        if quantise.graph is not node.graph:
            return Mismatch(f"{quantise.name!r} is in another graph", node)
        (scale, zero), other = levels(node, 1, 2), levels(quantise, 1, 2)
        if not np.array_equal(scale, other[0]) or not np.array_equal(zero, other[1]):
            return Mismatch(f"its scale differs from that of {quantise.name!r}", node)
        if scale.size > 1:
            return Mismatch("has a scale per channel, it must have one", node)
        if quantise.inputs[1].dtype != node.inputs[1].dtype:  # which is that of the floats
            return Mismatch(f"{quantise.inputs[0].name!r} is of another dtype than what comes back", node)
        limits = np.iinfo(need.dtype(need.present(quantise, 2), node, "iu") if quantise.input(2) else np.uint8)
        low, high = ((bound - int(zero.reshape(()))) * float(scale.reshape(())) for bound in (limits.min, limits.max))
        return Pair(quantise, node, low, high)

    def rewrite(self, match: Pair, rw: Rewriter) -> None:
        """What was quantised, within its bounds."""
        rw.replace(match.dequantise, self._bounded(match, rw))

    def _bounded(self, match: Pair, rw: Rewriter) -> Tensor:
        x = match.quantise.inputs[0]
        if self.clip:
            return build.clip(rw, x, match.low, match.high)
        source = x.producer
        if match.low < 0 or (source is not None and source.op in BOUNDED):
            return x
        return _relu(x, rw)


def _relu(x: Tensor, rw: Rewriter) -> Value:
    """The Relu of ``x`` that another pair has made already, or a new one."""
    known = next((node for node in x.consumers if node.op == "Relu" and node.graph is not None), None)
    return rw.op("Relu", x) if known is None else known.outputs[0]
