"""Signs, differences, quotients, powers and sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.base import Substitution, TextSubstitution, added, floats, spread, times
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, need


class NegAsMul(TextSubstitution):
    """``Neg(x) -> x * -1``; exact, since only the sign changes."""

    name, exactness = "neg-as-mul", Exactness.EXACT
    before = "(x) => (y) { y = Neg (x) }"
    after = "(x) => (y) { minus = Constant <value_float = -1.0> ()  y = Mul (x, minus) }"


@dataclass(frozen=True)
class Pair:
    """A node of two operands."""

    node: Node
    a: Tensor
    b: Tensor


class SubAsAdd(Substitution[Pair]):
    """``Sub(a, b) -> a + b * -1``; exact, since IEEE defines a difference so.

    A constant b is negated at once; behind a convolution the toolchain folds the factor into the weights.
    """

    name, roots, exactness = "sub-as-add", frozenset({"Sub"}), Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Pair:
        """Float operands."""
        a, b = floats(node, 0), floats(node, 1)
        if isinstance(b, Constant):
            need.constant(node, 1)
        return Pair(node, a, b)

    def build(self, match: Pair, rw: Rewriter) -> Tensor:
        """One node or two."""
        minus = rw.constant(-match.b.values) if isinstance(match.b, Constant) else times(rw, match.b, -1.0)
        return rw.op("Add", match.a, minus)


@dataclass(frozen=True)
class Shifted:
    """A value and the constant added to it, one number per channel."""

    node: Node
    x: Tensor
    channels: int
    term: np.ndarray[Any, Any]


class AddAsDepthwise(Substitution[Shifted]):
    """``Add(x, c) -> Conv(x)``: depthwise, 1x1, of weight 1 and bias c, where an operand has to be computed.

    X3 adds constants only as part of something else. The convolution sums one product by 1 and the bias. What comes
    from the CPU is added to there: the convolution would begin a segment, as the epsilon of a normalisation did.
    """

    name, roots = "add-as-depthwise", frozenset({"Add"})
    cures = frozenset({"Add.constants"})

    def match(self, node: Node, ctx: Context) -> Shifted:
        """A computed NxCxHxW, not on the CPU, and a constant of one number, or of one per channel."""
        fixed = [i for i, t in enumerate(node.inputs) if isinstance(t, Constant)]
        if len(fixed) != 1:
            raise Mismatch("both operands are constant", node)
        index = fixed[0]
        x = floats(node, 1 - index)
        need.rank(x, node, 4)
        if x.producer is not None and ctx.device(x.producer) == "cpu":
            raise Mismatch(f"{x.name!r} is computed on the CPU, the convolution would begin a segment there", node)
        channels = x.shape[1] if x.shape is not None else None
        if not isinstance(channels, int):
            raise Mismatch(f"the channels of {x.name!r} are not known", node)
        return Shifted(node, x, channels, _per_channel(need.constant(node, index), channels, node))

    def build(self, match: Shifted, rw: Rewriter) -> Tensor:
        """A convolution with every attribute in sight."""
        return depthwise(rw, match.x, np.ones(match.channels), match.term)


def _per_channel(array: np.ndarray[Any, Any], channels: int, node: Node) -> np.ndarray[Any, Any]:
    if array.size == 1 and array.ndim <= 4:
        return np.repeat(array.reshape(1), channels)
    if array.ndim > 4 or spread(array, 4).shape != (1, channels, 1, 1):
        shape = "x".join(map(str, array.shape))
        raise Mismatch(f"the constant is {shape}, it must be one number or one per channel ({channels})", node)
    return array.reshape(channels)


def depthwise(rw: Rewriter, x: Tensor, gain: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> Tensor:
    """``x * gain + bias`` per channel as a 1x1 convolution."""
    weight, shift = rw.constant(gain.reshape(-1, 1, 1, 1), like=x), rw.constant(bias, like=x)
    return pointwise(rw, x, weight, shift, group=gain.size)


def pointwise(rw: Rewriter, x: Tensor, weight: Constant, bias: Constant | None = None, group: int = 1) -> Tensor:
    """A 1x1 convolution with every attribute stated."""
    one, none = [1, 1], [0, 0, 0, 0]
    operands = (x, weight) if bias is None else (x, weight, bias)
    return rw.op("Conv", *operands, dilations=one, group=group, kernel_shape=one, pads=none, strides=one)


@dataclass(frozen=True)
class Divided:
    """A value and the reciprocals of the constant that divides it."""

    node: Node
    x: Tensor
    factor: np.ndarray[Any, Any]


class DivAsMul(Substitution[Divided]):
    """``Div(x, c) -> x * (1 / c)`` for a constant c; one more rounding."""

    name, roots = "div-as-mul", frozenset({"Div"})
    limits = ("constants",)

    def match(self, node: Node, ctx: Context) -> Divided:
        """A constant divisor whose reciprocals are finite and normal."""
        x, divisor = floats(node), need.constant(node, 1)
        with np.errstate(all="ignore"):
            factor = np.asarray(1 / divisor, divisor.dtype)
        if not np.isfinite(factor).all() or (np.abs(factor) < np.finfo(divisor.dtype).tiny).any():
            raise Mismatch(f"the divisor {_range(divisor)} has a reciprocal that {divisor.dtype} cannot hold", node)
        return Divided(node, x, factor)

    def build(self, match: Divided, rw: Rewriter) -> Tensor:
        """One product."""
        return rw.op("Mul", match.x, rw.constant(match.factor))


def _range(array: np.ndarray[Any, Any]) -> str:
    low, high = array.min(initial=np.inf), array.max(initial=-np.inf)
    return f"{low:g}" if low == high else f"from {low:g} to {high:g}"


class ConstantOverValue(Substitution[Pair]):
    """``Div(c, x) -> Reciprocal(x) * c`` for a constant c; one more rounding."""

    name, roots = "constant-over-value", frozenset({"Div"})
    limits = ("constants",)

    def match(self, node: Node, ctx: Context) -> Pair:
        """A constant dividend."""
        need.constant(node, 0)
        return Pair(node, floats(node, 0), floats(node, 1))

    def build(self, match: Pair, rw: Rewriter) -> Tensor:
        """Two nodes."""
        return rw.op("Mul", rw.op("Reciprocal", match.b), match.a)


@dataclass(frozen=True)
class Raised:
    """A value and its constant exponent."""

    node: Node
    x: Tensor
    exponent: float


class OneExponent(Substitution[Raised]):
    """``Pow(x, many equal numbers) -> Pow(x, the number)``; exact, since every element keeps its exponent."""

    name, roots, exactness = "one-exponent", frozenset({"Pow"}), Exactness.EXACT
    limits = ("exponent",)

    def match(self, node: Node, ctx: Context) -> Raised:
        """Equal exponents that do not stretch the base."""
        x, exponents = floats(node), need.constant(node, 1)
        values = np.unique(exponents)
        if exponents.size == 1 or values.size != 1:
            raise Mismatch(f"there are {values.size} exponents in {exponents.size}, many must be equal", node)
        if x.shape is None or node.outputs[0].shape != x.shape:
            raise Mismatch("the exponents stretch the base, its shape must stay", node)
        return Raised(node, x, float(values[0]))

    def build(self, match: Raised, rw: Rewriter) -> Tensor:
        """One node."""
        return rw.op("Pow", match.x, rw.constant(match.exponent, like=match.node.inputs[1]))


class PowAsProducts(Substitution[Raised]):
    """``Pow(x, n) -> x * x * ...``, with Sqrt for a half and Reciprocal for a negative n, in steps of 0.5 up to 4."""

    name, roots = "pow-as-products", frozenset({"Pow"})

    def match(self, node: Node, ctx: Context) -> Raised:
        """One exponent with a short product."""
        x, exponent = floats(node), ops.scalar(need.present(node, 1))
        if exponent is None or exponent == 0 or abs(exponent) > 4 or exponent * 2 % 1:
            raise Mismatch(f"the exponent is {exponent}, it must be a multiple of 0.5 up to 4, and not 0", node)
        return Raised(node, x, exponent)

    def build(self, match: Raised, rw: Rewriter) -> Tensor:
        """Five nodes at most."""
        whole, half = divmod(abs(match.exponent), 1)
        factors = [match.x] * int(whole) + ([rw.op("Sqrt", match.x)] if half else [])
        power = factors[0]
        for factor in factors[1:]:
            power = rw.op("Mul", power, factor)
        return power if match.exponent > 0 else rw.op("Reciprocal", power)


@dataclass(frozen=True)
class Many:
    """A node of any number of operands."""

    node: Node
    parts: tuple[Tensor, ...]


class SumAsAdds(Substitution[Many]):
    """``Sum(a, b, c) -> a + b + c``, added from the left."""

    name, roots = "sum-as-adds", frozenset({"Sum"})
    limits = ("forms",)

    def match(self, node: Node, ctx: Context) -> Many:
        """Float operands."""
        return Many(node, tuple(floats(node, i) for i in range(len(node.inputs))))

    def build(self, match: Many, rw: Rewriter) -> Tensor:
        """One Add less than operands."""
        return added(rw, match.parts)


class MeanAsAdds(Substitution[Many]):
    """``Mean(a, b, c) -> (a + b + c) * (1 / 3)``; the factor is rounded."""

    name, roots = "mean-as-adds", frozenset({"Mean"})

    def match(self, node: Node, ctx: Context) -> Many:
        """Float operands."""
        return Many(node, tuple(floats(node, i) for i in range(len(node.inputs))))

    def build(self, match: Many, rw: Rewriter) -> Tensor:
        """Adds and a product."""
        total = added(rw, match.parts)
        return total if len(match.parts) == 1 else times(rw, total, 1 / len(match.parts))


@dataclass(frozen=True)
class Wrapped:
    """A value and the powers of two by which it is divided."""

    node: Node
    x: Tensor
    divisor: np.ndarray[Any, Any]


class ModAsRemainder(Substitution[Wrapped]):
    """``Mod<fmod=1>(x, d) -> x + Sign(x) * Floor(Abs(x * (1 / d))) * -d`` for powers of two d from 1 on.

    Exact, since then every step is: for another d the quotient is rounded, and next to a multiple of d that moves the
    result by all of d.
    """

    name, roots, exactness = "mod-as-remainder", frozenset({"Mod"}), Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Wrapped:
        """Constant divisors."""
        x, divisor = floats(node), np.abs(need.constant(node, 1))
        if not (np.isfinite(divisor) & (divisor >= 1)).all() or (np.frexp(divisor)[0] != 0.5).any():
            raise Mismatch(f"the divisor is {_range(divisor)}, it must be a power of two from 1 on", node)
        return Wrapped(node, x, divisor)

    def build(self, match: Wrapped, rw: Rewriter) -> Tensor:
        """Seven nodes."""
        whole = rw.op("Floor", rw.op("Abs", times(rw, match.x, 1 / match.divisor)))
        return rw.op("Add", match.x, times(rw, rw.op("Mul", rw.op("Sign", match.x), whole), -match.divisor))
