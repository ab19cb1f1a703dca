"""Patterns in ONNX text."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx.parser
import pytest

from surgery.ir import Node
from surgery.rewrite import Context, Engine, Exactness, Mismatch, Purpose, Rule
from surgery.rewrite.pattern import Bound, TextRule, describe, parse
from tests.rewrite.world import World, world


class Pattern(TextRule):
    """What the patterns below share."""

    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING


class ToSwish(Pattern):
    """Two readers of one input."""

    name, roots = "to-swish", frozenset({"Mul"})
    before = "(x) => (y) { s = Sigmoid (x)  y = Mul (x, s) }"
    after = "(x) => (y) { e = Exp (x)  y = Div (x, e) }"


class FromElu(Pattern):
    """An attribute that travels."""

    name, roots = "from-elu", frozenset({"Elu"})
    before = "(x) => (y) { y = Elu <alpha: float = @a> (x) }"
    after = "(x) => (y) { z = Celu <alpha: float = @a> (x)  y = Neg (z) }"


class Halve(Pattern):
    """A constant, and one made."""

    name, roots = "halve", frozenset({"Mul"})
    before = "(x) => (y) { h = Constant <value_float = 0.5> ()  y = Mul (x, h) }"
    after = "(x) => (y) { two = Constant <value_float = 2.0> ()  y = Div (x, two) }"


class Strided(Pattern):
    """A fixed attribute."""

    name, roots = "strided", frozenset({"Softmax"})
    before = "(x) => (y) { y = Softmax <axis = 1> (x) }"
    after = "(x) => (y) { y = LogSoftmax <axis = 1> (x) }"


def run(text: str, rule: Rule[Any], opset: int = 17) -> tuple[World, Engine]:
    w = world(text, opset)
    engine = Engine("pass", [rule], w, w.rw, trace=True)
    engine.run()
    w.editor.settle()
    return w, engine


def reasons(engine: Engine) -> list[str]:
    return [e.reason for e in engine.stats.events if e.reason]


SWISH = "g (float[2] x) => (float[2] y) { a = Relu (x)  s = Sigmoid (a)  b = Mul (@)  y = Abs (b) }"


@pytest.mark.parametrize("operands", ["a, s", "s, a"])
def test_commutative_operands(operands: str) -> None:
    w, _ = run(SWISH.replace("@", operands), ToSwish())
    assert w.ops == ["Relu", "Exp", "Div", "Abs"]
    assert w.node("Div").inputs[0] is w.node("Relu").outputs[0]


def test_operands_of_other_operators_have_an_order() -> None:
    class Quotient(ToSwish):
        roots = frozenset({"Div"})
        before = "(x) => (y) { s = Sigmoid (x)  y = Div (x, s) }"

    text = SWISH.replace("Mul (@)", "Div (s, a)")
    assert run(text, Quotient())[1].stats.applied == 0
    assert run(text.replace("(s, a)", "(a, s)"), Quotient())[1].stats.applied == 1


def test_one_name_is_one_tensor() -> None:
    w, engine = run(SWISH.replace("@", "x, s"), ToSwish())
    assert "Mul" in w.ops
    assert reasons(engine) == ["the graph above is not Mul(x, Sigmoid(x))"]


@pytest.mark.parametrize("alpha", [1.5, None])
def test_attribute_binders(alpha: float | None) -> None:
    """Bound, or bound to its absence."""
    attrs = "" if alpha is None else f"<alpha = {alpha}>"
    w, _ = run(f"g (float[2] x) => (float[2] y) {{ a = Elu {attrs} (x)  y = Abs (a) }}", FromElu())
    assert w.ops == ["Celu", "Neg", "Abs"]
    assert w.node("Celu").attrs == ({} if alpha is None else {"alpha": alpha})


def test_constants_match_by_value_and_take_the_dtype() -> None:
    w, _ = run(
        "g (float16[2] x) => (float16[2] y) { h = Constant <value = float16[1] {14336}> ()  y = Mul (h, x) }", Halve()
    )
    assert w.ops == ["Div"]
    assert w.node("Div").inputs[1].dtype == np.dtype(np.float16)
    assert w.main.outputs[0].name == "y"


@pytest.mark.parametrize("weights", ["float h = {0.25}", "float[2] h = {0.5, 0.5}"])
def test_other_constants_do_not_match(weights: str) -> None:
    _, engine = run(f"g (float[2] x) => (float[2] y) <{weights}> {{ y = Mul (x, h) }}", Halve())
    assert reasons(engine) == ["the graph above is not Mul(x, 0.5)"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "g (float[2] x) => (float[2] y, float[2] z) { s = Sigmoid (x)  y = Mul (x, s)  z = Neg (s) }",
            "'s' is also read by 'Neg', outside of the pattern",
        ),
        (
            "g (float[2] x) => (float[2] y, float[2] s) { s = Sigmoid (x)  y = Mul (x, s) }",
            "'s' is also a graph output",
        ),
        (
            "g (float[2] x) => (float[2] y) { s = Tanh (x)  y = Mul (x, s) }",
            "the graph above is not Mul(x, Sigmoid(x))",
        ),
    ],
)
def test_pattern_refuses_with_a_reason(text: str, reason: str) -> None:
    _, engine = run(text, ToSwish())
    assert reasons(engine) == [reason]


def test_fixed_attributes_have_to_be_there() -> None:
    assert run("g (float[2,2] x) => (float[2,2] y) { y = Softmax <axis = 1> (x) }", Strided())[1].stats.applied == 1
    assert run("g (float[2,2] x) => (float[2,2] y) { y = Softmax <axis = 0> (x) }", Strided())[1].stats.applied == 0


def test_what_the_text_cannot_say() -> None:
    class Picky(ToSwish):
        def accept(self, bound: Bound, node: Node, ctx: Context) -> Mismatch | None:
            return Mismatch(f"{bound['x'].name!r} is not to my taste", node)

    assert reasons(run(SWISH.replace("@", "a, s"), Picky())[1]) == ["'a' is not to my taste"]


def test_the_heir_keeps_its_name() -> None:
    class Same(Pattern):
        name, roots = "same", frozenset({"Mul"})
        before = "(x, k) => (y) { r = Relu (x)  y = Mul (r, k) }"
        after = "(x, k) => (y) { z = Mul (x, k)  r = Relu (z)  o = Abs (r)  y = Mul (o, k) }"

    w = world("g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { r = Relu (x)  y = Mul (r, k) }")
    w.node("Mul").name = "heavy"
    Engine("pass", [Same()], w, w.rw, limit=1).run()
    assert [n.name for n in w.model.nodes() if n.outputs[0].name == "y"] == ["heavy"]


def test_patterns_for_humans() -> None:
    assert describe(parse(ToSwish.before)) == "Mul(x, Sigmoid(x))"
    assert describe(parse(Halve.before)) == "Mul(x, 0.5)"


def test_a_pattern_that_is_no_onnx_text_is_an_error() -> None:
    with pytest.raises(onnx.parser.ParseError):
        parse("(x) => (y) { y = }")
