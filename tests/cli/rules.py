"""Passes for the command line's tests: one that is right, one that is wrong on purpose, one that needs a march."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from surgery.ir import Node
from surgery.pipeline import Pass
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


class FoldTwice(Rule[Node]):
    """``Relu(Relu(x)) -> Relu(x)``; exact."""

    name, roots = "fold-twice", frozenset({"Relu"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        inner = node.inputs[0].producer
        if inner is None or inner.op != "Relu":
            return Mismatch("its input has to come from a Relu", node.inputs[0])
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        rw.replace(match, match.inputs[0])


class Halve(Rule[Node]):
    """``Neg(x) -> Mul(x, -0.5)``: wrong, though it claims to round only."""

    name, roots = "halve", frozenset({"Neg"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node if node.name.endswith("bad") else Mismatch("its name has to end in bad", node)

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        x = match.inputs[0]
        rw.replace(match, rw.op("Mul", x, rw.constant(np.float32(-0.5), like=x)))


class FoldTwicePass(Pass):
    """Remove a Relu behind a Relu."""

    name: ClassVar[str] = "fold-twice"

    mode: Literal["fold", "keep"] = "fold"
    """What to do with the second one."""

    def rules(self, target: Any) -> list[Rule[Any]]:
        return [FoldTwice()] if self.mode == "fold" else []


class HalvePass(Pass):
    """Halve numbers while negating them, which no pass should."""

    name: ClassVar[str] = "halve"

    def rules(self, target: Any) -> list[Rule[Any]]:
        return [Halve()]
