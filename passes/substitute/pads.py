"""Padding by what is at the border, where a march pads with constants only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from passes.substitute.base import Substitution
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, build, need

FEW = 8
"""Most elements that a side is padded by: each is a Slice."""


@dataclass(frozen=True)
class Bordered:
    """A Pad, and by axis which elements of its input stand before and behind it."""

    node: Node
    x: Tensor
    borders: dict[int, tuple[list[int], list[int]]]


class PadAsConcat(Substitution[Bordered]):
    """``Pad<reflect or wrap>(x) -> Concat(slices of x, x, slices of x)``, axis by axis; exact."""

    name, roots, exactness = "pad-as-concat", frozenset({"Pad"}), Exactness.EXACT
    cures = frozenset({"Pad.mode"})

    def match(self, node: Node, ctx: Context) -> Bordered:
        """Few elements on every side, known sizes, and none cropped."""
        mode = ops.attr(node, "mode", "constant")
        how = mode.decode() if isinstance(mode, bytes) else str(mode)
        sizes = need.static(node.inputs[0], node)
        pads = ops.pads(node)
        if pads is None or how == "constant":
            raise Mismatch(f"pads {pads} by {how}, they must be known and by what is at the border", node)
        if node.input(3) is not None:
            return Bordered(node, node.inputs[0], dict(_borders(node, how, sizes, _spread(node, pads, len(sizes)))))
        return Bordered(node, node.inputs[0], dict(_borders(node, how, sizes, pads)))

    def build(self, match: Bordered, rw: Rewriter) -> Tensor:
        """One Concat per axis; a slice for every element, since the order turns."""
        value = match.x
        for axis, (before, behind) in match.borders.items():
            made = {at: build.slice_(rw, value, [axis], [at], [at + 1]) for at in dict.fromkeys((*before, *behind))}
            parts = [*(made[at] for at in before), value, *(made[at] for at in behind)]
            value = build.concat(rw, parts, axis)
        return value


def _spread(node: Node, pads: list[int], rank: int) -> list[int]:
    """Pads of some axes as those of all."""
    axes = ops.axes(node)
    if axes is None:
        raise Mismatch("pads axes that are computed, they must be constant", node)
    whole = [0] * (2 * rank)
    for index, axis in enumerate(axes):
        whole[axis], whole[axis + rank] = pads[index], pads[index + len(axes)]
    return whole


def _borders(
    node: Node, how: str, sizes: tuple[int, ...], pads: list[int]
) -> Iterator[tuple[int, tuple[list[int], list[int]]]]:
    for axis, size in enumerate(sizes):
        before, behind = pads[axis], pads[axis + len(sizes)]
        if before < 0 or behind < 0:
            raise Mismatch(f"crops axis {axis} by {before} and {behind}", node)
        if max(before, behind) > FEW:
            raise Mismatch(f"pads axis {axis} by {before} and {behind}, at most {FEW}", node)
        if before or behind:
            yield axis, _shown(node, how, size, before, behind)


def _shown(node: Node, how: str, size: int, before: int, behind: int) -> tuple[list[int], list[int]]:
    """Which of ``size`` elements show on both sides."""
    if max(before, behind) >= size + (how == "wrap"):
        raise Mismatch(f"pads by {before} and {behind} an axis of {size}, at most {size - 1 + (how == 'wrap')}", node)
    if how == "reflect":
        return list(range(before, 0, -1)), [size - 2 - i for i in range(behind)]
    if how == "wrap":
        return list(range(size - before, size)), list(range(behind))
    raise Mismatch(f"pads by {how}", node)
