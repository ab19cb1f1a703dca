"""Arithmetic that returns its operand: neutral elements, repeated idempotent functions, casts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.noops.bypass import Drop
from surgery.ir import Constant, Node, Tensor
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need

NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1, "Pow": 1}
COMMUTES = frozenset({"Add", "Mul"})
IDEMPOTENT = frozenset({"Abs", "Ceil", "Floor", "Relu", "Round", "Sign"})
SELF_INVERSE = frozenset({"Neg", "Not"})


class DropNeutral(Drop):
    """``x + 0``, ``x - 0``, ``x * 1``, ``x / 1``, ``x ** 1`` -> ``x``, where the constant does not broadcast ``x``.

    Exact for every dtype but for Pow on integers, which onnxruntime computes in floating point.
    """

    name, roots = "drop-neutral", frozenset(NEUTRAL)

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The operand that is not the neutral element."""
        first, second = node.inputs
        if isinstance(first, Constant) and node.op in COMMUTES:
            first, second = second, first
        if not isinstance(second, Constant) or second.weight.missing:
            raise Mismatch("no operand is constant" if node.op in COMMUTES else "input 1 must be constant", node)
        if node.op == "Pow":
            need.dtype(first, node, "f")
        neutral = NEUTRAL[node.op]
        if not _all_equal(second.values, neutral):
            raise Mismatch(f"every element of {second.name!r} must be {neutral}", node)
        if not _keeps_shape(second.shape, first):
            raise Mismatch(f"{dims(second.shape)} may broadcast {dims(first.shape)}", node)
        return first


def _all_equal(array: np.ndarray[Any, Any], number: int) -> bool:
    """Whether every element equals ``number``; looks at the first one first."""
    return array.size > 0 and array.reshape(-1)[0] == number and bool((array == number).all())


def _keeps_shape(shape: tuple[int, ...], other: Tensor) -> bool:
    """Whether broadcasting a tensor of ``shape`` against ``other`` gives the shape of ``other``."""
    if other.shape is None or len(shape) > len(other.shape):
        return False
    return all(d in (1, o) for d, o in zip(reversed(shape), reversed(other.shape), strict=False))


class DropRepeated(Drop):
    """``Relu(Relu(x)) -> Relu(x)`` and its like; ``Neg(Neg(x)) -> x``."""

    name, roots = "drop-repeated", IDEMPOTENT | SELF_INVERSE

    def source(self, node: Node, ctx: Context) -> Tensor:
        """What the inner node computes, or reads."""
        inner = need.producer(node, 0, node.op)
        return inner.inputs[0] if node.op in SELF_INVERSE else inner.outputs[0]


class SameType(Drop):
    """``Cast(x) -> x`` when ``x`` has the type already; CastLike, too."""

    name, roots = "drop-cast", frozenset({"Cast", "CastLike"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input."""
        given, wanted = node.inputs[0].dtype, node.outputs[0].dtype
        if given is None or given != wanted:
            raise Mismatch(f"casts {given} to {wanted}, the types must be equal", node)
        return node.inputs[0]


@dataclass(frozen=True)
class Chain:
    """A Cast and the value that it can be applied to directly."""

    node: Node
    source: Tensor


class CastChain(Rule[Chain]):
    """``Cast(Cast(x)) -> Cast(x)`` when the inner one loses nothing.

    Exact: what is cast last is the same number either way. Floats that end as integers are left alone, because
    what becomes of those out of range depends on the type they come from.
    """

    name, roots = "merge-casts", frozenset({"Cast"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Chain | Mismatch:
        """The inner Cast has to be lossless."""
        source = need.producer(node, 0, "Cast").inputs[0]
        first, middle, last = source.dtype, node.inputs[0].dtype, node.outputs[0].dtype
        if first is None or middle is None or last is None or not lossless(first, middle):
            return Mismatch(f"the inner cast from {first} to {middle} must keep every value", node)
        if first.kind == "f" and last.kind in "iu":
            return Mismatch(f"{first} out of the range of {last} may come out otherwise", node)
        return Chain(node, source)

    def rewrite(self, match: Chain, rw: Rewriter) -> None:
        """Read the source of the inner Cast."""
        rw.set_input(match.node, 0, match.source)


_DIGITS = {"float16": 11, "float32": 24, "float64": 53}


def lossless(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Whether ``target`` holds every value of ``source``.

    >>> lossless(np.dtype("int32"), np.dtype("float32")), lossless(np.dtype("float16"), np.dtype("float32"))
    (False, True)
    """
    if source == target or (source.kind == "b" and target.name in (*_DIGITS, "int32", "int64")):
        return True
    if source.kind in "iu" and source.name != "object" and target.name in _DIGITS:
        bits = 8 * source.itemsize - (source.kind == "i")
        return bits <= _DIGITS[target.name] and bits < 16
    if source.name in _DIGITS and target.name in _DIGITS:
        return _DIGITS[source.name] < _DIGITS[target.name]
    return source.kind in "iu" and target.kind in "iu" and bool(np.can_cast(source, target, "safe"))
