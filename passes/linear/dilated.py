"""Dilated convolutions that the march takes, but not well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from passes.linear.parts import Convolved, broken, convolved, static
from passes.linear.taps import closer
from passes.linear.window import convolution
from surgery.ir import Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule

NEAR = 2
"""The dilation that costs the engines least."""


@dataclass(frozen=True)
class Stuffed:
    """A convolution, and the one with more taps that stand closer."""

    node: Node
    conv: Convolved


class StuffDilation(Rule[Stuffed]):
    """``Conv<dilations 3>(x, W)`` with zeros between the taps instead, where that is predicted to be faster.

    ::

        y = Conv <dilations = [3, 3], pads = [3, 3, 3, 3]> (x, W)      W: 24x16x3x3

        y = Conv <pads = [3, 3, 3, 3]> (x, V)                          V: 24x16x7x7, the numbers of W and zeros

    The compiler sorts the places of a dilated layer apart and together again, which takes longer than the products with
    zeros where there are few channels (docs/passes/tile-kernels.md). An even dilation may as well become one of 2,
    which costs it least. Rounding: products with zero are added.
    """

    name, roots = "stuff-dilation", frozenset({"Conv"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING
    saves = 0.25

    def match(self, node: Node, ctx: Context) -> Stuffed | Mismatch:
        """A dilated kernel of constant weights, and the march takes it with its taps closer together."""
        found = [way for _, way in self.ways(node, ctx)]
        return next((way for way in found if isinstance(way, Stuffed)), found[0])

    def ways(self, node: Node, ctx: Context) -> Iterator[tuple[str, Stuffed | Mismatch]]:
        """Without a dilation, then with one of 2 where the taps fall on even places."""
        if max(node.attrs.get("dilations") or (1,)) == 1:
            raise Mismatch("is not dilated", node, absent=True)
        own = convolution(node)
        steps = [axis.step if taps > 1 else 1 for axis, taps in zip(own.axes, own.taps, strict=True)]
        yield "no dilation", _closer(node, ctx, [1] * len(steps))
        halved = [NEAR if step % NEAR == 0 else 1 for step in steps]
        if halved != [1] * len(steps) and halved != steps:
            yield f"dilations of {halved}", _closer(node, ctx, halved)

    def rewrite(self, match: Stuffed, rw: Rewriter) -> None:
        """The convolution with zeros among its weights."""
        rw.replace(match.node, match.conv.build(rw, match.node))


def _closer(node: Node, ctx: Context, steps: list[int]) -> Stuffed | Mismatch:
    """The convolution with ``steps`` for dilations, if the march takes that."""
    static(node.inputs[0], node)
    window = closer(convolution(node), steps, node)
    if isinstance(window, Mismatch):
        return window
    conv = convolved(window, node.inputs[0], node.outputs[0], node)
    if limit := broken(conv, node, ctx):
        return Mismatch(f"with zeros between its taps it would break {limit}", node)
    return Stuffed(node, conv)
