"""Passes that do one thing each, rightly or wrongly, for tests of what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from surgery.ir import Node
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule
from surgery.rewrite.pattern import TextRule


class SquareRoot(TextRule):
    """``Pow(x, 0.5) -> Sqrt(x)``; the same real function."""

    name, roots = "square-root", frozenset({"Pow"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING
    before = "(x) => (y) { h = Constant <value_float = 0.5> ()  y = Pow (x, h) }"
    after = "(x) => (y) { y = Sqrt (x) }"


class WrongAtTwo(Rule[Node]):
    """Turns Relu into LeakyRelu: harmless at a slope of 0, wrong for nodes whose name says so."""

    name, roots = "leak", frozenset({"Relu"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        alpha = 0.5 if "bad" in match.name else 0.0
        rw.replace(match, rw.op("LeakyRelu", match.inputs[0], heir=match, alpha=alpha))


class Endless(Rule[Node]):
    """Replaces a Neg by a Neg, for ever."""

    name, roots = "endless", frozenset({"Neg"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        rw.replace(match, rw.op("Neg", match.inputs[0]))


class Narrow(Rule[Node]):
    """Makes the graph output an int8 tensor."""

    name, roots = "narrow", frozenset({"Relu"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        value = rw.op("Cast", match.inputs[0], to=3)
        rw.editor.set_graph_outputs(rw.main, [value])
        rw.remove(match)


class Invalid(Rule[Node]):
    """Makes a node that onnx.checker refuses."""

    name, roots = "invalid", frozenset({"Relu"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        rw.replace(match, rw.op("NoSuchOperator", match.inputs[0]))


@dataclass(frozen=True)
class Swapped:
    """A node to be made another."""

    node: Node


class Swap(Rule[Swapped]):
    """Replaces an operator by another of one input, for tests of what is kept."""

    name = "swap"
    exactness = Exactness.ROUNDING

    def __init__(self, old: str, new: str, purpose: Purpose, cures: str = "") -> None:
        self.roots = frozenset({old})  # type: ignore[misc]
        self.purpose = purpose  # type: ignore[misc]
        self.cures = frozenset({cures} if cures else ())  # type: ignore[misc]
        self.new = new

    def match(self, node: Node, ctx: Context) -> Swapped | Mismatch:
        return Swapped(node)

    def rewrite(self, match: Swapped, rw: Rewriter) -> None:
        rw.replace(match.node, rw.op(self.new, match.node.inputs[0], heir=match.node))


class _Of(Pass):
    """A pass of the rules in ``made``."""

    made: ClassVar[Sequence[Rule[Any]]] = ()

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        return self.made


class Roots(_Of):
    """Square roots."""

    name, made = "roots", (SquareRoot(),)


class Leaks(_Of):
    """Leaky ones, some of them wrong."""

    name, made = "leaks", (WrongAtTwo(),)


class Forever(_Of):
    """Never ends."""

    name, made = "forever", (Endless(),)


class Narrows(_Of):
    """Changes the interface without saying so."""

    name, made = "narrows", (Narrow(),)


class Breaks(_Of):
    """Breaks the graph."""

    name, made = "breaks", (Invalid(),)


class Late(_Of):
    """Has to run after ``roots``."""

    name, made, after = "late", (), frozenset({"roots"})


class Whole(Pass):
    """Whole-graph work that does nothing."""

    name = "whole"

    def run(self, run: PassRun) -> Outcome:
        return Outcome()


def swapping(old: str, new: str, purpose: Purpose, cures: str = "") -> Pass:
    """A pass that swaps one operator for another."""

    class Swaps(_Of):
        """Swaps."""

        name, made = "swaps", (Swap(old, new, purpose, cures),)

    return Swaps()
