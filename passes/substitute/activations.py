"""Activations, brought into the form that the vendor's optimiser makes one lookup of, where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

from passes.substitute.base import Site, Substitution, TextSubstitution, floats, plus, spread, times, wide
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need


class HardSwish(TextSubstitution):
    """``HardSwish(x) -> x * HardSigmoid(x / 6 + 0.5)``, one lookup to the vendor's optimiser.

    ONNX defines the operator as this product; only the product's rounding can differ.
    """

    name = "hardswish"
    before = "(x) => (y) { y = HardSwish (x) }"
    after = """(x) => (y) {
        gate = HardSigmoid <alpha: float = 0.16666667, beta: float = 0.5> (x)
        y = Mul (x, gate)
    }"""


class Mish(TextSubstitution):
    """``Mish(x) -> x * Tanh(Softplus(x))``, one lookup to the vendor's optimiser; ONNX defines it so."""

    name = "mish"
    before = "(x) => (y) { y = Mish (x) }"
    after = "(x) => (y) { s = Softplus (x)  t = Tanh (s)  y = Mul (x, t) }"


class Swish(Substitution[Site]):
    """``Swish(x) -> x * Sigmoid(alpha * x)``, one lookup to the vendor's optimiser; ONNX defines it so."""

    name, roots = "swish", frozenset({"Swish"})

    def match(self, node: Node, ctx: Context) -> Site:
        """Any float operand."""
        return Site(node, floats(node))

    def build(self, match: Site, rw: Rewriter) -> Tensor:
        """Sigmoid and product; the factor only where it is not 1."""
        alpha = ops.attr(match.node, "alpha", 1.0)
        scaled = match.x if alpha == 1.0 else times(rw, match.x, alpha)
        return rw.op("Mul", match.x, rw.op("Sigmoid", scaled))


class GeluErf(TextSubstitution):
    """``Gelu(x) -> x * (Erf(x / sqrt 2) + 1) * 0.5``, one lookup to the vendor's optimiser; ONNX defines it so.

    In this order only: with x or the sum halved first, the witness makes six nodes of it. So x beyond half of the
    largest number overflows.
    """

    name = "gelu-erf"
    before = "(x) => (y) { y = Gelu <approximate: string = @approximate> (x) }"
    after = """(x) => (y) {
        root = Constant <value_float = 1.4142135> ()
        one = Constant <value_float = 1.0> ()
        half = Constant <value_float = 0.5> ()
        u = Div (x, root)
        e = Erf (u)
        f = Add (e, one)
        g = Mul (x, f)
        y = Mul (g, half)
    }"""

    def accept(self, bound: object, node: Node, ctx: Context) -> Mismatch | None:
        """The exact form."""
        floats(node)
        if _is_tanh(node):
            return Mismatch("approximate is 'tanh', the Erf form needs 'none'", node)
        return None


class GeluTanh(Substitution[Site]):
    """``Gelu<tanh>(x) -> x * 0.5 * (Tanh(sqrt(2 / pi) * (x + 0.044715 x^3)) + 1)``.

    What ONNX defines, written out; x^3 may overflow to infinity, whose Tanh is right. The vendor's optimiser knows
    the Erf form only, but that is another function.
    """

    name, roots = "gelu-tanh", frozenset({"Gelu"})

    def match(self, node: Node, ctx: Context) -> Site:
        """The tanh form."""
        if not _is_tanh(node):
            raise Mismatch("approximate is 'none', the Tanh form needs 'tanh'", node)
        return Site(node, floats(node))

    def build(self, match: Site, rw: Rewriter) -> Tensor:
        """Nine nodes at most."""
        x = match.x
        cube = rw.op("Mul", rw.op("Mul", x, x), x)
        inner = times(rw, rw.op("Add", x, times(rw, cube, 0.044715)), sqrt(2 / pi))
        return rw.op("Mul", times(rw, x, 0.5), plus(rw, rw.op("Tanh", inner), 1.0))


def _is_tanh(node: Node) -> bool:
    return ops.attr(node, "approximate", "none") in ("tanh", b"tanh")


class PRelu(Substitution[Site]):
    """``PRelu(x, slope) -> Relu(x) - slope * Relu(-x)``.

    One of the two terms is zero, so nothing is rounded but the product that PRelu rounds, too.
    """

    name, roots = "prelu", frozenset({"PRelu"})
    limits = ("ranks",)

    def match(self, node: Node, ctx: Context) -> Site:
        """A float operand whose rank is known."""
        need.rank(node.inputs[0], node)
        if isinstance(node.inputs[1], Constant):
            need.constant(node, 1)
        return Site(node, floats(node))

    def build(self, match: Site, rw: Rewriter) -> Tensor:
        """The negative half is turned, cut and scaled."""
        slope = match.node.inputs[1]
        if isinstance(slope, Constant):
            slope = rw.constant(spread(slope.values, match.x.rank or slope.rank))
        below = rw.op("Mul", rw.op("Relu", times(rw, match.x, -1.0)), slope)
        return rw.op("Sub", rw.op("Relu", match.x), below)


@dataclass(frozen=True)
class Bent:
    """An activation and the number it bends at."""

    node: Node
    x: Tensor
    alpha: float


class Celu(Substitution[Bent]):
    """``Celu(x) -> alpha * Elu(x / alpha)``, ``Elu(x)`` for the usual alpha of 1.

    ``alpha * (exp(x / alpha) - 1)`` below zero and ``alpha * (x / alpha)`` above.
    """

    name, roots = "celu", frozenset({"Celu"})

    def match(self, node: Node, ctx: Context) -> Bent:
        """A positive alpha by which large values do not overflow."""
        alpha = float(ops.attr(node, "alpha", 1.0))
        x = floats(node) if alpha == 1.0 else wide(node)
        if not 2.0**-10 <= alpha <= 2.0**10:
            raise Mismatch(f"alpha is {alpha:g}, it must be between 2**-10 and 2**10 so that nothing overflows", node)
        return Bent(node, x, alpha)

    def build(self, match: Bent, rw: Rewriter) -> Tensor:
        """One node or three."""
        if match.alpha == 1.0:
            return rw.op("Elu", match.x, alpha=1.0)
        return times(rw, rw.op("Elu", times(rw, match.x, 1 / match.alpha), alpha=1.0), match.alpha)


class ThresholdedRelu(Substitution[Bent]):
    """``ThresholdedRelu(x) -> Clip(x, alpha, ) * Relu(Sign(x - alpha))``, ``Relu(x)`` for an alpha of 0.

    The second factor is 1 above alpha and 0 elsewhere: x - alpha is 0 only where they are equal. The Clip keeps
    -inf * 0 out, and makes the largest number of an infinity.
    """

    name, roots = "thresholded-relu", frozenset({"ThresholdedRelu"})

    def match(self, node: Node, ctx: Context) -> Bent:
        """Any float operand."""
        return Bent(node, floats(node), float(ops.attr(node, "alpha", 1.0)))

    def build(self, match: Bent, rw: Rewriter) -> Tensor:
        """One node or five."""
        if match.alpha == 0.0:
            return rw.op("Relu", match.x)
        above = rw.op("Relu", rw.op("Sign", plus(rw, match.x, -match.alpha)))
        return rw.op("Mul", build.clip(rw, match.x, match.alpha, None), above)


class SoftShrink(Substitution[Bent]):
    """``Shrink(x) -> x - Clip(x, -lambd, lambd)`` where the bias is lambd (the soft threshold).

    Inside the difference is 0, outside it is the subtraction that Shrink does.
    """

    name, roots = "soft-shrink", frozenset({"Shrink"})

    def match(self, node: Node, ctx: Context) -> Bent:
        """The soft form; the hard one jumps."""
        x, bias, lambd = floats(node), float(ops.attr(node, "bias", 0.0)), float(ops.attr(node, "lambd", 0.5))
        if bias != lambd or lambd < 0:
            raise Mismatch(f"bias is {bias:g} and lambd {lambd:g}, they must be equal and not negative", node)
        return Bent(node, x, lambd)

    def build(self, match: Bent, rw: Rewriter) -> Tensor:
        """Two nodes."""
        return rw.op("Sub", match.x, build.clip(rw, match.x, -match.alpha, match.alpha))
