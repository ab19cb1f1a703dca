"""Values that are written out to a shape which their readers would stretch them to anyway."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from passes.noops.bypass import Drop
from surgery.ir import Constant, Node, Tensor, ops
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

STRETCHING = frozenset({
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod",
    "Mul", "Or", "Pow", "Sub", "Sum", "Where", "Xor",
})  # fmt: skip
"""Operators of several operands that stretch each to the shape of all."""


def stretched(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that operands of these shapes are stretched to.

    >>> stretched((3, 1), (2, 1, 4))
    (2, 3, 4)
    """
    columns = zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1)
    return tuple(next((d for d in column if d != 1), 1) for column in columns)[::-1]


class DropExpand(Drop):
    """``Add(Expand(x), y) -> Add(x, y)`` where both have the same shape; so of every operator that stretches."""

    name, roots = "drop-expand", frozenset({"Expand"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """Every reader has to come to the same shape without the Expand."""
        x, value = node.inputs[0], node.outputs[0]
        small = need.static(x, node)
        if ctx.is_output(value):
            raise Mismatch(f"{value.name!r} is also a graph output", node)
        for reader in value.consumers:
            if reader.op not in STRETCHING or not reader.is_onnx:
                raise Mismatch(f"{reader.op} reads it, which does not stretch what it reads", node)
            full = need.static(reader.outputs[0], node)
            found = stretched(*(small if t is value else need.static(t, node) for t in reader.inputs))
            if found != full:
                raise Mismatch(f"without it {reader.name!r} is {dims(found)}, it must be {dims(full)}", node)
        return x


@dataclass(frozen=True)
class Spread:
    """An Expand and the Transpose that reads it."""

    node: Node
    expand: Node
    order: tuple[int, ...]
    sizes: tuple[int, ...]


class ExpandAfterTranspose(Rule[Spread]):
    """``Transpose(Expand(x, s)) -> Expand(Transpose(x), s')``, so that less is moved; nothing is computed."""

    name, roots = "expand-after-transpose", frozenset({"Transpose"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Spread | Mismatch:
        """Only axes of size 1 are stretched, none are put in front."""
        expand = need.producer(node, 0, "Expand", ctx=ctx)
        small, full = need.static(expand.inputs[0], node), need.static(node.inputs[0], node)
        order = ops.permutation(node)
        if len(small) != len(full) or order is None:
            return Mismatch(f"the Expand makes {dims(full)} of {dims(small)}, the ranks must be equal", node)
        if isinstance(expand.inputs[0], Constant):
            return Mismatch(f"{expand.inputs[0].name!r} is constant, which is folded", node)
        return Spread(node, expand, tuple(order), tuple(full[i] for i in order))

    def rewrite(self, match: Spread, rw: Rewriter) -> None:
        """Transpose first."""
        moved = build.transpose(rw, match.expand.inputs[0], match.order)
        rw.replace(match.node, rw.op("Expand", moved, rw.ints(match.sizes)))
