"""Convolutions whose begin and end pads differ, where the march wants them equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need
from surgery.target.params import Params
from surgery.target.params.windows import joins_window


@dataclass(frozen=True)
class Evened:
    """A convolution of ``x``, equal pads with which its result is among others, and where along each spatial axis."""

    node: Node
    x: Tensor
    pads: tuple[int, ...]
    starts: tuple[int, ...]
    sizes: tuple[int, ...]


class EvenPads(Rule[Evened]):
    """``Conv<pads=[a, b, c, d]>(x) -> Slice(Conv<pads=[e, f, e, f]>(x))``: more is computed, and cut off; exact.

    A Pad in front is taken in, too: the toolchain does so, and a new one would not help.
    """

    name, roots = "even-pads", frozenset({"Conv", "ConvTranspose"})
    purpose, exactness = Purpose.LEGALISE, Exactness.EXACT
    cures, leaves = frozenset({"Conv.uneven_pads", "ConvTranspose.uneven_pads"}), frozenset({*roots, "Slice"})

    def match(self, node: Node, ctx: Context) -> Evened | Mismatch:
        """Pads that are known, and a size of the result."""
        need.rank(node.inputs[0], node, 4)
        after = need.static(node.outputs[0], node)
        if ops.pads(node) is None:
            return Mismatch(f"auto_pad is {node.attrs.get('auto_pad')}, the pads must be known", node)
        if node.attrs.get("output_shape"):
            return Mismatch("output_shape decides the pads, they must be written down", node)
        x, pairs = _padding(node)
        if node.op == "ConvTranspose":
            even = tuple(min(pair) for pair in pairs)
            starts = tuple(begin - own for (begin, _), own in zip(pairs, even, strict=True))
            return Evened(node, x, even, starts, after[2:])
        strides = ops.spatial(node, "strides", len(pairs))
        starts = tuple(-(-max(0, end - begin) // step) for (begin, end), step in zip(pairs, strides, strict=True))
        even = tuple(begin + n * step for (begin, _), n, step in zip(pairs, starts, strides, strict=True))
        return Evened(node, x, even, starts, after[2:])

    def rewrite(self, match: Evened, rw: Rewriter) -> None:
        """The convolution, and a Slice along the axes that have become longer."""
        node, pads = match.node, list(match.pads)
        attrs = {**node.attrs, "auto_pad": None, "pads": pads + pads}
        whole = rw.op(node.op, match.x, *node.inputs[1:], heir=node, **attrs)
        sizes = need.static(whole, node)[2:]
        longer = [i for i, size in enumerate(sizes) if size != match.sizes[i]]
        if not longer:  # at a stride, a pad may be no further step
            rw.replace(node, whole)
            return
        starts, ends = [match.starts[i] for i in longer], [match.starts[i] + match.sizes[i] for i in longer]
        rw.replace(node, build.slice_(rw, whole, [2 + i for i in longer], starts, ends))


def _padding(node: Node) -> tuple[Tensor, list[tuple[int, int]]]:
    """What is convolved, and the pads at the begin and the end of each spatial axis; those of a Pad in front, too."""
    maker, pads = node.inputs[0].producer, ops.pads(node) or []
    if maker is not None and joins_window(maker, node):
        return maker.inputs[0], _pairs(Params(node, 0)["merged_pads"])
    return node.inputs[0], _pairs(pads)


def _pairs(pads: Sequence[int]) -> list[tuple[int, int]]:
    half = len(pads) // 2
    return list(zip(pads[:half], pads[half:], strict=True))
