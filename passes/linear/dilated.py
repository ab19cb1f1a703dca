"""Dilated convolutions that the march takes, but not well."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from passes.linear.parts import static
from passes.linear.taps import Tiled, build_tiles, closer, way
from passes.linear.window import Window, convolution
from surgery.ir import Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule

NEAR = 2
"""The dilation that costs the engines least."""
TAPS = 9
"""Most taps of a kernel that is taken apart; of more the parts were not compiled."""


class Undilate(Rule[Tiled]):
    """``Conv<dilations 3>(x, W)`` with zeros between its taps, or tap by tap, where that is predicted to be faster.

    ::

        y = Conv <dilations = [3, 3], pads = [3, 3, 3, 3]> (x, W)      W: 24x16x3x3

        y = Conv <pads = [3, 3, 3, 3]> (x, V)                          V: 24x16x7x7, the numbers of W and zeros

    The compiler sorts the places of a dilated layer into maps and out of them again, and rounds the sides of each up.
    That takes longer than products with zeros where there are few channels, and than a convolution for every tap where
    the maps are small (docs/passes/tile-kernels.md). An even dilation may as well become one of 2, which costs least.
    Rounding: products with zero are added, or sums are in another order.
    """

    name, roots = "undilate", frozenset({"Conv"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING
    saves = 0.2

    def match(self, node: Node, ctx: Context) -> Tiled | Mismatch:
        """A dilated kernel of constant weights, and the march takes one of what can stand for it."""
        found = [one for _, one in self.ways(node, ctx)]
        return next((one for one in found if isinstance(one, Tiled)), found[0])

    def ways(self, node: Node, ctx: Context) -> Iterator[tuple[str, Tiled | Mismatch]]:
        """Without a dilation, with one of 2 where the taps fall on even places, and a convolution for each tap."""
        if max(node.attrs.get("dilations") or (1,)) == 1:
            raise Mismatch("is not dilated", node, absent=True)
        own, sides = convolution(node), static(node.inputs[0], node)[1:]
        if len(sides) != 2 or 1 in sides:
            raise Mismatch(f"a map of {list(sides)} has places to sort along less than two axes", node)
        steps = [axis.step if taps > 1 else 1 for axis, taps in zip(own.axes, own.taps, strict=True)]
        yield "no dilation", _closer(own, [1] * len(steps), node, ctx)
        halved = [NEAR if step % NEAR == 0 else 1 for step in steps]
        if max(halved) > 1 and halved != steps:
            yield f"dilations of {halved}", _closer(own, halved, node, ctx)
        if 1 < prod(own.taps) <= TAPS and own.group == 1:
            yield way(own, 1, node, ctx, ())

    def rewrite(self, match: Tiled, rw: Rewriter) -> None:
        """One convolution with zeros among its weights, or the sum of several."""
        build_tiles(match, rw)


def _closer(own: Window, steps: list[int], node: Node, ctx: Context) -> Tiled | Mismatch:
    """The convolution with ``steps`` for dilations, in one piece, if the march takes that."""
    window = closer(own, steps, node)
    return window if isinstance(window, Mismatch) else way(window, max(window.taps), node, ctx, ())[1]
