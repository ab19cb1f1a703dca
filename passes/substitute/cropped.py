"""Transposed convolutions whose pads are over the limit: their pads only cut off what was computed."""

from __future__ import annotations

from dataclasses import dataclass

from passes.substitute.base import Substitution, floats
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need


@dataclass(frozen=True)
class Cropped:
    """A transposed convolution, what its pads cut off in front, and the size that is left, along height and width."""

    node: Node
    x: Tensor
    starts: tuple[int, ...]
    size: tuple[int, ...]


class ConvTransposeCropped(Substitution[Cropped]):
    """``ConvTranspose<pads>(x) -> Slice(ConvTranspose(x))``: without pads everything is computed, then cut.

    For strides that are no powers of two, which have no form in phases.
    """

    name, roots = "conv-transpose-cropped", frozenset({"ConvTranspose"})
    cures = frozenset({"ConvTranspose.pad", "ConvTranspose.pad_h", "ConvTranspose.pad_w"})

    def match(self, node: Node, ctx: Context) -> Cropped:
        """Stated pads, and a known size."""
        x = floats(node)
        need.rank(x, node, 4)
        pads, after = ops.pads(node), need.static(node.outputs[0], node)
        if pads is None or "output_shape" in node.attrs:
            raise Mismatch("auto_pad or output_shape decides its pads, they must be stated", node)
        return Cropped(node, x, tuple(pads[:2]), after[2:])

    def build(self, match: Cropped, rw: Rewriter) -> Tensor:
        """The convolution without pads, and a Slice of height and width."""
        node = match.node
        attrs = {**node.attrs, "auto_pad": None, "pads": [0] * 4}
        whole = rw.op("ConvTranspose", match.x, *node.inputs[1:], heir=node, **attrs)
        ends = [start + size for start, size in zip(match.starts, match.size, strict=True)]
        return build.slice_(rw, whole, [2, 3], match.starts, ends)
