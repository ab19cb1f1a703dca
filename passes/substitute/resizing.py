"""Nearest-neighbour enlargement by factors that are no power of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from passes.substitute.base import Substitution, floats, text
from surgery.ir import Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, need


@dataclass(frozen=True)
class Enlarged:
    """An enlargement of an NxCxHxW value that repeats every element ``factors`` times."""

    node: Node
    x: Tensor
    channels: int
    factors: tuple[int, int]


class NearestAsConvTranspose(Substitution[Enlarged]):
    """``Resize<nearest>(x) -> ConvTranspose(x)``: depthwise, of ones, kernel and stride the factors.

    Every output sees one input, times 1; exact.
    """

    name, roots, exactness = "nearest-as-conv-transpose", frozenset({"Resize", "Upsample"}), Exactness.EXACT
    cures = frozenset({"Resize.scale", "Upsample.scale"})

    def match(self, node: Node, ctx: Context) -> Enlarged:
        """Whole factors over height and width that repeat every element."""
        x = floats(node)
        before, after = need.static(x, node), need.static(node.outputs[0], node)
        if (mode := text(node, "mode", "nearest")) != "nearest":
            raise Mismatch(f"mode is {mode!r}, it must be 'nearest'", node)
        if len(before) != 4 or before[:2] != after[:2] or any(b % a for a, b in zip(before, after, strict=True)):
            raise Mismatch(f"{before} becomes {after}, height and width must grow by whole factors", node)
        for small, large in zip(before[2:], after[2:], strict=True):
            _repeats(node, small, large, ctx.opset)
        return Enlarged(node, x, before[1], (after[2] // before[2], after[3] // before[3]))

    def build(self, match: Enlarged, rw: Rewriter) -> Tensor:
        """One transposed convolution with every attribute stated."""
        weight = rw.constant(np.ones((match.channels, 1, *match.factors)), like=match.x)
        sides, one, none = list(match.factors), [1, 1], [0, 0, 0, 0]
        group = match.channels
        return rw.op(
            "ConvTranspose", match.x, weight, dilations=one, group=group, kernel_shape=sides, pads=none, strides=sides
        )


def _repeats(node: Node, small: int, large: int, opset: int) -> None:
    how, way = "asymmetric", "floor"
    if opset >= 11 and node.op == "Resize":
        how = text(node, "coordinate_transformation_mode", "half_pixel")
        way = text(node, "nearest_mode", "round_prefer_floor")
    if nearest(small, large, how, way) != [i * small // large for i in range(large)]:
        raise Mismatch(f"{how} with {way} does not repeat each of {small} elements {large // small} times", node)


def nearest(small: int, large: int, how: str, way: str) -> list[int] | None:
    """Which of ``small`` elements each of ``large`` shows, after Resize's definition; None for another ``how``.

    >>> nearest(2, 6, "half_pixel", "round_prefer_floor")
    [0, 0, 0, 1, 1, 1]
    """
    scale = large / small
    places: dict[str, Callable[[int], float]] = {
        "half_pixel": lambda i: (i + 0.5) / scale - 0.5,
        "pytorch_half_pixel": lambda i: (i + 0.5) / scale - 0.5 if large > 1 else 0.0,
        "asymmetric": lambda i: i / scale,
        "align_corners": lambda i: i * (small - 1) / (large - 1) if large > 1 else 0.0,
    }
    rounding: dict[str, Callable[[float], int]] = {
        "round_prefer_floor": lambda p: ceil(p - 0.5),
        "round_prefer_ceil": lambda p: floor(p + 0.5),
        "floor": floor,
        "ceil": ceil,
    }
    if how not in places:
        return None
    return [min(max(rounding[way](places[how](i)), 0), small - 1) for i in range(large)]
