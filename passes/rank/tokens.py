"""Places of a map that come in one row, given their height and width again channels last."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from surgery.ir import Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

MAPPED = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "Resize"})
"""What reads maps; tokens that are parted into heads have the same form, but no such reader."""
PASSING = frozenset({"Add", "Sub", "Mul", "Div", "Relu", "Clip", "Sigmoid", "BatchNormalization"})
STEPS = 4
"""Elementwise operators that may be between a map and what reads it."""


@dataclass(frozen=True)
class Rows:
    """A Reshape, what it reads, and the map it makes."""

    node: Node
    source: Tensor
    shape: tuple[int, ...]


def parts_places(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether a reshape makes a map NxCxHxW of rows of places, which are the last axis of rank 3 or 4.

    >>> parts_places((1, 2, 64, 400), (1, 128, 20, 20)), parts_places((1, 128, 400), (1, 128, 1, 400))
    (True, False)
    """
    ranks = len(before) in (3, 4) and len(after) == 4
    return ranks and before[0] == after[0] and prod(before[1:-1]) == after[1] and min(after[2:]) > 1


class PartAsTokens(Rule[Rows]):
    """``Reshape<NxCxHxW>(x: NxGxDxHW)`` through ``N x HW x C``, where the places are parted between channels.

    The end of attention over a map. The toolchain cuts every row of places into rows of W elements, one by one; with
    the channels last nothing moves but the order of axes, which a convolution behind it wants anyway.
    """

    name, roots = "part-as-tokens", frozenset({"Reshape"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Rows | Mismatch:
        """Known sizes, of which the last one is parted and the channels are put together."""
        source = node.inputs[0]
        before, after = need.static(source, node), need.static(node.outputs[0], node)
        if not parts_places(before, after):
            return Mismatch("does not part the last axis into height and width", node)
        if not _is_map(node.outputs[0], STEPS):
            return Mismatch("no convolution reads what it makes", node)
        return Rows(node, source, after)

    def rewrite(self, match: Rows, rw: Rewriter) -> None:
        """Two Transposes around the parting."""
        n, c, h, w = match.shape
        rows = match.source if match.source.rank == 3 else build.reshape(rw, match.source, (n, c, h * w))
        tokens = build.transpose(rw, rows, (0, 2, 1))
        parted = build.reshape(rw, tokens, (n, h, w, c))
        rw.replace(match.node, build.transpose(rw, parted, (0, 3, 1, 2)))


def _is_map(tensor: Tensor, steps: int) -> bool:
    """Whether something that works on maps reads a tensor, or what a few elementwise operators make of it."""
    readers = tensor.outputs
    if any(r.op in MAPPED for r in readers):
        return True
    return steps > 0 and any(_is_map(r.outputs[0], steps - 1) for r in readers if r.op in PASSING)
