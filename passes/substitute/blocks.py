"""Images made of overlapping blocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from passes.substitute.base import Substitution, floats
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

Sides = tuple[int, ...]


@dataclass(frozen=True)
class Blocks:
    """Columns of an NxCxL value as blocks: how many there are along each axis of the image, and how they lie."""

    node: Node
    x: Tensor
    channels: int
    counts: Sides
    block: Sides
    strides: Sides
    dilations: Sides
    pads: Sides
    rest: Sides
    """Rows and columns of the image behind the last block."""


class Col2Im(Substitution[Blocks]):
    """``Col2Im(x) -> ConvTranspose(Reshape(x))``: every block is laid down by weights of one 1 each, and added.

    One group per channel of the image, one input channel per place in the block.
    """

    name, roots = "col2im", frozenset({"Col2Im"})

    def match(self, node: Node, ctx: Context) -> Blocks:
        """Constant sizes, known columns."""
        x = floats(node)
        image, block = (tuple(int(n) for n in need.constant(node, i)) for i in (1, 2))
        columns = x.shape[1] if x.shape is not None else None
        if not isinstance(columns, int):
            raise Mismatch(f"the columns of {x.name!r} are not known", node)
        strides, dilations = (tuple(ops.spatial(node, name, len(image))) for name in ("strides", "dilations"))
        pads = tuple(int(p) for p in ops.attr(node, "pads", None) or [0] * (2 * len(image)))
        spare = [
            n + pads[i] + pads[i + len(image)] - d * (k - 1) - 1
            for i, (n, k, d) in enumerate(zip(image, block, dilations, strict=True))
        ]
        counts = tuple(s // stride + 1 for s, stride in zip(spare, strides, strict=True))
        rest = tuple(s % stride for s, stride in zip(spare, strides, strict=True))
        return Blocks(node, x, columns // prod(block), counts, block, strides, dilations, pads, rest)

    def build(self, match: Blocks, rw: Rewriter) -> Tensor:
        """Two nodes."""
        places = prod(match.block)
        laid = build.reshape(rw, match.x, [0, match.channels * places, *match.counts])
        weight = np.tile(np.eye(places), (match.channels, 1)).reshape(-1, 1, *match.block)
        return rw.op(
            "ConvTranspose",
            laid,
            rw.constant(weight, like=match.x),
            dilations=list(match.dilations),
            group=match.channels,
            kernel_shape=list(match.block),
            output_padding=list(match.rest),
            pads=list(match.pads),
            strides=list(match.strides),
        )
