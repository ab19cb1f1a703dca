"""Rows parted into two axes while they lie across: places of a map into height and width, tokens into heads."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from surgery.ir import Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

READERS = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "Resize", "Split"})
"""What reads maps, and heads of which queries, keys and values are split off: seen to gain by the witness."""
PASSING = frozenset({"Add", "Sub", "Mul", "Div", "Relu", "Clip", "Sigmoid", "BatchNormalization"})
STEPS = 4
"""Elementwise operators that may be between what is parted and what reads it."""


@dataclass(frozen=True)
class Rows:
    """A Reshape, what it reads, and the map it makes."""

    node: Node
    source: Tensor
    shape: tuple[int, ...]


def parts_places(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether a reshape to rank 4 parts the last axis into two, and keeps the rows in their order.

    >>> parts_places((1, 2, 64, 400), (1, 128, 20, 20)), parts_places((196, 256), (1, 196, 4, 64))
    (True, True)
    >>> parts_places((1, 128, 400), (1, 128, 1, 400))
    False
    """
    ranks = len(before) in (2, 3, 4) and len(after) == 4
    return (
        ranks and prod(before[:-1]) == after[0] * after[1] and before[-1] == after[2] * after[3] and min(after[2:]) > 1
    )


class PartAsTokens(Rule[Rows]):
    """``Reshape<NxCxHxW>(x: NxGxDxHW)`` through ``N x HW x C``, where the rows are parted while they lie across.

    The end of attention over a map, and the heads of tokens. The toolchain cuts every row of H times W elements into H
    rows, one by one; lying across, whole rows of C elements stay together, and only axes change their order.
    """

    name, roots = "part-as-tokens", frozenset({"Reshape"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Rows | Mismatch:
        """Known sizes, of which the last one is parted, read by what gains from it."""
        source = node.inputs[0]
        before, after = need.static(source, node), need.static(node.outputs[0], node)
        if not parts_places(before, after):
            return Mismatch("does not part the last axis into two", node)
        if not _is_read(node.outputs[0], STEPS):
            return Mismatch("no convolution and no Split reads what it makes", node)
        return Rows(node, source, after)

    def rewrite(self, match: Rows, rw: Rewriter) -> None:
        """Two Transposes around the parting."""
        n, c, h, w = match.shape
        flat = (n, c, h * w)
        rows = match.source if tuple(match.source.shape or ()) == flat else build.reshape(rw, match.source, flat)
        tokens = build.transpose(rw, rows, (0, 2, 1))
        parted = build.reshape(rw, tokens, (n, h, w, c))
        rw.replace(match.node, build.transpose(rw, parted, (0, 3, 1, 2)))


def _is_read(tensor: Tensor, steps: int) -> bool:
    """Whether one of :data:`READERS` reads a tensor, or what a few elementwise operators make of it."""
    readers = tensor.outputs
    if any(r.op in READERS for r in readers):
        return True
    return steps > 0 and any(_is_read(r.outputs[0], steps - 1) for r in readers if r.op in PASSING)
