"""Linear maps one after the other as one convolution."""

from __future__ import annotations

from dataclasses import dataclass

from passes.linear.parts import FACTORS, Convolved, broken, convolved, linear, static
from passes.linear.slices import focused
from passes.linear.stages import PAIR
from passes.linear.window import Window, chain, chained, convolution
from surgery.ir import Constant, Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need

PLAIN = frozenset(
    {"Conv", "ConvTranspose", "Relu", "MaxPool", "AveragePool", "Concat", "Slice", "Split", "Resize", "Pad"}
)
"""What a factor may follow: behind other elementwise operators it may be the end of an activation, such as GELU, that
the vendor's optimiser makes one lookup of."""


@dataclass(frozen=True)
class Composed:
    """The second convolution, and the one that stands for both."""

    outer: Node
    conv: Convolved


class ComposeConvs(Rule[Composed]):
    """``Conv(Conv(x)) -> Conv(x)``, and so with a factor or shift per channel, or eight slices and a Concat, before.

    Rounding: products of weights are added up first. The zeros that the second convolution pads with are no results of
    the first, so that they have to come out as zeros, or must not be read: only then. Only where one convolution
    takes no more products than two, and has no stride beyond 2 that neither of them has.
    """

    name, roots = "compose-convs", frozenset({"Conv"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Composed | Mismatch:
        """What it reads is linear in one tensor, of constant weights, and read by nothing else."""
        maker = node.inputs[0].producer
        if maker is None or maker.op not in (*FACTORS, "Conv", "Concat"):
            return Mismatch("reads no convolution, no factor and no Concat", node, absent=True)
        first = need.producer(node, 0, maker.op, ctx=ctx)
        if first.graph is not node.graph:
            return Mismatch(f"{first.name!r} is in another graph", node)
        inner, source = focused(first) if first.op == "Concat" else linear(first, ctx)
        before = _unscaled(source).producer
        if first.op in FACTORS and before is not None and before.op not in PLAIN:
            return Mismatch(f"{first.name!r} follows {before.op}, with which it may be an activation", node)
        outer = convolution(node)
        sizes, middle, outputs = (static(tensor, node)[1:] for tensor in (source, node.inputs[0], node.outputs[0]))
        if reason := _edges(inner, outer, sizes, middle, outputs):
            return Mismatch(reason, node)
        apart = outer.outline.macs(outputs) + (inner.outline.macs(middle) if first.op == "Conv" else 0)
        if (count := chained(inner, outer).macs(outputs)) > apart:
            return Mismatch(f"one convolution would take {count} products, the two take {apart}", node)
        if (stride := max(axis.stride for axis in chained(inner, outer).axes)) > _known(inner, outer):
            return Mismatch(f"one convolution would have a stride of {stride}, worked out at the places between", node)
        conv = convolved(chain(inner, outer), source, node.outputs[0], node)
        if limit := broken(conv, node, ctx):
            return Mismatch(f"one convolution would break {limit}", node)
        return Composed(node, conv)

    def rewrite(self, match: Composed, rw: Rewriter) -> None:
        """One convolution under the name of the second."""
        rw.replace(match.outer, match.conv.build(rw, match.outer))


def _known(inner: Window, outer: Window) -> int:
    """The largest stride that costs nothing more than those that are there."""
    return max(PAIR, *(axis.stride for window in (inner, outer) for axis in window.axes))


def _unscaled(tensor: Tensor) -> Tensor:
    """What is scaled and shifted by constants to give ``tensor``."""
    while (node := tensor.producer) is not None and node.op in FACTORS:
        values = [t for t in node.inputs if not isinstance(t, Constant)]
        if len(values) != 1:
            break
        tensor = values[0]
    return tensor


def _edges(
    inner: Window, outer: Window, sizes: tuple[int, ...], middle: tuple[int, ...], outputs: tuple[int, ...]
) -> str:
    """Why the zeros around the tensor in between are not what ``inner`` gives there; "" when they are, or unread."""
    for a, m, b, n, size, held, count in zip(
        inner.axes, inner.taps, outer.axes, outer.taps, sizes, middle, outputs, strict=True
    ):
        before, behind = b.first < 0, (count - 1) * b.stride + b.reach(n) >= held
        if not before and not behind:
            continue
        if inner.bias.any():
            return f"pads by {-b.first} what has a shift, whose zeros would not stay zeros"
        if (before and a.reach(m) - a.stride >= 0) or (behind and held * a.stride + a.first < size):
            return "the zeros it pads with are no zeros when the first is computed there, too"
    return ""
