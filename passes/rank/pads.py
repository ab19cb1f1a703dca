"""Pads of values of rank 1 to 3."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need


@dataclass(frozen=True)
class Padded:
    """A Pad, what it pads, the shapes of both, and how many axes are missing."""

    node: Node
    x: Tensor
    before: tuple[int, ...]
    after: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def missing(self) -> int:
        """How many axes a value of rank 4 has in front."""
        return 4 - len(self.before)


class LiftPad(Rule[Padded]):
    """``Pad(x) -> Reshape(Pad(Reshape(x)))`` at rank 4: the toolchain stops at a model with a Pad of a lower rank.

    Exact, since nothing is computed.
    """

    name, roots = "lift-pad", frozenset({"Pad"})
    purpose, exactness = Purpose.LEGALISE, Exactness.EXACT
    cures, leaves = frozenset({"Pad.rank"}), frozenset({"Reshape"})

    def match(self, node: Node, ctx: Context) -> Padded | Mismatch:
        """Constant pads of all axes of a value whose shape is known."""
        x = need.value(node.inputs[0], node)
        need.rank(x, node, 1, 2, 3)
        before, after = need.static(x, node), need.static(node.outputs[0], node)
        pads = ops.pads(node)
        if pads is None or len(pads) != 2 * len(before):
            return Mismatch(f"pads by {pads}, there must be two constant pads for each of {len(before)} axes", node)
        return Padded(node, x, before, after, tuple(pads))

    def rewrite(self, match: Padded, rw: Rewriter) -> None:
        """The same pads behind axes of size 1."""
        ones, count = [1] * match.missing, len(match.before)
        zeros = [0] * match.missing
        pads = [*zeros, *match.pads[:count], *zeros, *match.pads[count:]]
        node, lifted = match.node, build.reshape(rw, match.x, [*ones, *match.before])
        if rw.opset < 11:
            padded = rw.op("Pad", lifted, heir=node, **{**node.attrs, "pads": pads})
        else:
            padded = rw.op("Pad", lifted, rw.ints(pads), node.input(2), heir=node, **node.attrs)
        rw.replace(node, build.reshape(rw, padded, match.after))
