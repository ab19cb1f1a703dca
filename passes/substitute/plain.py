"""Elementary functions that every march known so far has, for march files that lack one."""

from __future__ import annotations

from dataclasses import dataclass

from passes.substitute.base import Substitution, TextSubstitution, floats, plus, times
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Rewriter, build


class Abs(TextSubstitution):
    """``Abs(x) -> Relu(x) + Relu(x * -1)``; exact, since one of the two is 0."""

    name, exactness = "abs", Exactness.EXACT
    before = "(x) => (y) { y = Abs (x) }"
    after = """(x) => (y) {
        minus = Constant <value_float = -1.0> ()
        n = Mul (x, minus)
        a = Relu (x)
        b = Relu (n)
        y = Add (a, b)
    }"""


class Softplus(TextSubstitution):
    """``Softplus(x) -> Relu(x) + Log(Exp(Abs(x) * -1) + 1)``: log(1 + exp(x)) with nothing that overflows."""

    name = "softplus"
    before = "(x) => (y) { y = Softplus (x) }"
    after = """(x) => (y) {
        minus = Constant <value_float = -1.0> ()
        one = Constant <value_float = 1.0> ()
        a = Abs (x)
        n = Mul (a, minus)
        e = Exp (n)
        s = Add (e, one)
        l = Log (s)
        r = Relu (x)
        y = Add (r, l)
    }"""


class Softsign(TextSubstitution):
    """``Softsign(x) -> x / (Abs(x) + 1)``, its definition."""

    name = "softsign"
    before = "(x) => (y) { y = Softsign (x) }"
    after = "(x) => (y) { one = Constant <value_float = 1.0> ()  a = Abs (x)  s = Add (a, one)  y = Div (x, s) }"


@dataclass(frozen=True)
class Linear:
    """An activation with its two numbers."""

    node: Node
    x: Tensor
    first: float
    second: float


class HardSigmoid(Substitution[Linear]):
    """``HardSigmoid(x) -> Clip(x * alpha + beta, 0, 1)``, its definition."""

    name, roots = "hardsigmoid", frozenset({"HardSigmoid"})

    def match(self, node: Node, ctx: Context) -> Linear:
        """A float operand."""
        return Linear(node, floats(node), ops.attr(node, "alpha", 0.2), ops.attr(node, "beta", 0.5))

    def build(self, match: Linear, rw: Rewriter) -> Tensor:
        """Three nodes."""
        return build.clip(rw, plus(rw, times(rw, match.x, match.first), match.second), 0.0, 1.0)


class Elu(Substitution[Linear]):
    """``Elu(x) -> Relu(x) + alpha * (Exp(Clip(x, , 0)) - 1)``, scaled for Selu; their definitions.

    One of the two terms is 0, and Exp sees no positive number.
    """

    name, roots = "elu", frozenset({"Elu", "Selu"})

    def match(self, node: Node, ctx: Context) -> Linear:
        """A float operand."""
        if node.op == "Elu":
            return Linear(node, floats(node), ops.attr(node, "alpha", 1.0), 1.0)
        return Linear(node, floats(node), ops.attr(node, "alpha", 1.67326319), ops.attr(node, "gamma", 1.05070102))

    def build(self, match: Linear, rw: Rewriter) -> Tensor:
        """Seven nodes at most."""
        below = plus(rw, rw.op("Exp", build.clip(rw, match.x, None, 0.0)), -1.0)
        value = rw.op("Add", rw.op("Relu", match.x), times(rw, below, match.first))
        return value if match.second == 1.0 else times(rw, value, match.second)


RULES = (Abs(), Softplus(), Softsign(), HardSigmoid(), Elu())
"""These rules, in no particular order."""
