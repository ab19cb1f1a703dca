"""Activations by what they compute, and the forms to write them in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from passes.activations.cone import GRID, OPERATORS, Array, Cone, cones, is_elementwise
from surgery.ir import Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need
from surgery.rewrite.pattern import Bound, TextRule

FORMS = {
    "GELU": (
        """(x) => (y) { r = Constant <value_float = 1.4142135> ()  o = Constant <value_float = 1.0> ()
            h = Constant <value_float = 0.5> ()
            u = Div (x, r)  e = Erf (u)  f = Add (e, o)  g = Mul (x, f)  y = Mul (g, h) }""",
    ),
    "SiLU": ("(x) => (y) { s = Sigmoid (x)  y = Mul (x, s) }",),
    "Mish": ("(x) => (y) { p = Softplus (x)  t = Tanh (p)  y = Mul (x, t) }",),
    "HardSwish": (
        "(x) => (y) { h = HardSigmoid <alpha: float = 0.16666667, beta: float = 0.5> (x)  y = Mul (x, h) }",
        *(
            f"""(x) => (y) {{ z = Constant <value_float = 0.0> ()  n = Constant <value_float = {by}> ()
                s = Constant <value_float = 6.0> ()  t = Constant <value_float = 3.0> ()
                a = Add (x, t)  c = Clip (a, z, s)  m = Mul (x, c)  y = {op} (m, n) }}"""
            for op, by in (("Div", 6.0), ("Mul", 0.16666667))
        ),
    ),
    "HardSigmoid": ("(x) => (y) { y = HardSigmoid <alpha: float = 0.16666667, beta: float = 0.5> (x) }",),
    "Sigmoid": ("(x) => (y) { y = Sigmoid (x) }",),
    "Tanh": ("(x) => (y) { y = Tanh (x) }",),
    "Softplus": ("(x) => (y) { y = Softplus (x) }",),
}
"""By activation, what the witness makes one lookup of; the first is what is written."""
CLOSE = 2e-6
"""Largest difference, relative to the value where that is over 1, of one function: single precision of constants."""


def _gelu(x: Array) -> Array:
    return np.asarray(x * (OPERATORS["Erf"](None, x / np.sqrt(2)) + 1) / 2)


FUNCTIONS: dict[str, Array] = {
    "GELU": _gelu(GRID),
    "SiLU": GRID / (1 + np.exp(-GRID)),
    "Mish": GRID * np.tanh(np.logaddexp(0, GRID)),
    "HardSwish": GRID * np.clip(GRID / 6 + 0.5, 0, 1),
    "HardSigmoid": np.clip(GRID / 6 + 0.5, 0, 1),
    "Sigmoid": 1 / (1 + np.exp(-GRID)),
    "Tanh": np.tanh(GRID),
    "Softplus": np.logaddexp(0, GRID),
}
_WANTED = np.stack([FUNCTIONS[name] for name in FORMS])
_SCALE = np.maximum(1, np.abs(_WANTED))
NEARBY = 2.1e-2
"""How far the sigmoid form of GELU is from GELU at most, and the tanh form much less."""


@cache
def _texts(name: str) -> tuple[TextRule, ...]:
    return tuple(type(f"_{name}", (_Form,), {"before": text, "after": text})() for text in FORMS[name])


class _Form(TextRule):
    """One way to write an activation, used to recognise it and to make it."""

    name, roots, purpose, exactness = "form", frozenset(), Purpose.NORMALISE, Exactness.ROUNDING


@dataclass(frozen=True)
class Named:
    """What is known of a cone: the activation that it computes."""

    cone: Cone
    name: str


def _differences(values: Array) -> dict[str, float]:
    """The largest difference from every activation, relative where that is over 1."""
    if not np.isfinite(values).all():
        return dict.fromkeys(FORMS, np.inf)
    return dict(zip(FORMS, (np.abs(values - _WANTED) / _SCALE).max(axis=1).tolist(), strict=True))


class WrittenOut(Rule[Named]):
    """Elementwise operators that compute an activation become the form of it that is one lookup.

    ``x * 0.5 * (Erf(x * 0.70710677) + 1)``, ``x / (1 + Exp(-x))``, ``x * Tanh(Log(1 + Exp(x)))``: the same real
    functions, of constants in single precision. Where Exp overflows, beyond 88, the form that is written does not.
    """

    name, roots = "written-out-activation", frozenset(OPERATORS)
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Named | Mismatch:
        """The largest group of operators that ends here and computes an activation in another form."""
        return _named(node, ctx, dict.fromkeys(FORMS, CLOSE))

    def rewrite(self, match: Named, rw: Rewriter) -> None:
        """The form that is one lookup."""
        _write(match, rw)


class NearbyActivation(Rule[Named]):
    """The tanh and the sigmoid form of GELU become GELU, which is one lookup: they are seven operators, and three.

    Approximate: GELU is up to 0.0005 and 0.021 away from them.
    """

    name, roots = "nearby-activation", frozenset({"Mul"})
    purpose, exactness = Purpose.NORMALISE, Exactness.APPROXIMATE

    def match(self, node: Node, ctx: Context) -> Named | Mismatch:
        """A group of operators that ends here and computes a function near GELU."""
        return _named(node, ctx, {"GELU": NEARBY})

    def rewrite(self, match: Named, rw: Rewriter) -> None:
        """GELU."""
        _write(match, rw)


def _named(node: Node, ctx: Context, bounds: dict[str, float]) -> Named | Mismatch:
    if not is_elementwise(node):
        return Mismatch("its constants are no single small numbers", node, absent=True)
    need.dtype(node.outputs[0], node)
    for cone in reversed([cone for cone in cones(node, ctx) if cone.is_bent]):
        differences = _differences(cone.values())
        for name, bound in bounds.items():
            if differences[name] <= bound:
                return _unless_written(Named(cone, name), ctx)
    return Mismatch("computes no known activation of one value", node, absent=True)


def _unless_written(found: Named, ctx: Context) -> Named | Mismatch:
    root = found.cone.root
    for form in _texts(found.name):
        bound = form.match(root, ctx)
        if isinstance(bound, Bound) and bound["x"] is found.cone.x:
            return Mismatch(f"{found.name} is in a form that is one lookup already", root, absent=True)
    return found


def _write(match: Named, rw: Rewriter) -> None:
    bound = Bound((match.cone.root,), {"x": match.cone.x}, {})
    _texts(match.name)[0].rewrite(bound, rw)
