"""Parallel branches that add up to one convolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.linear.parts import SCALES, Convolved, broken, convolved, identity, scale, static
from passes.linear.window import Window, convolution, plus
from surgery.ir import Constant, Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


@dataclass(frozen=True)
class Term:
    """A linear map of ``source``, the convolutions in it and what they cost together."""

    window: Window
    source: Tensor
    convs: tuple[Node, ...] = ()
    norms: int = 0
    macs: int = 0


@dataclass(frozen=True)
class Merged:
    """The sum, the convolution that stands for it, and whose name that takes."""

    root: Node
    conv: Convolved
    heir: Node


class MergeBranches(Rule[Merged]):
    """``Conv(x, A) + Conv(x, B) + BatchNormalization(x) + x -> Conv(x, A + B + ...)``.

    RepVGG, MobileOne, RepViT and FastViT have such branches in training. Rounding: the products are the same, added up
    in another order. Kernels of different sizes and positions are brought to one, factors and shifts per channel on the
    way are taken in. Only where the one convolution takes no more products than the branches, and takes the place of
    two nodes at least. The weights of a branch with a large share of the identity quantise differently once they are
    added up.
    """

    name, roots = "merge-branches", frozenset({"Add", "Sub"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Merged | Mismatch:
        """Two or more convolutions or normalisations of one tensor that nothing else reads."""
        if any(isinstance(tensor, Constant) for tensor in node.inputs):
            return Mismatch("adds a constant", node, absent=True)
        outputs = static(node.outputs[0], node)[1:]
        term = _term(node.outputs[0], ctx, node)
        if not term.convs or len(term.convs) + term.norms < 2:
            return Mismatch("adds up fewer than two convolutions or normalisations of one tensor", node, absent=True)
        if (count := term.window.outline.macs(outputs)) > term.macs:
            return Mismatch(f"one convolution would take {count} products instead of {term.macs}", node)
        heir = max(term.convs, key=lambda conv: convolution(conv).weight.size)
        conv = convolved(term.window, term.source, node.outputs[0], node)
        if limit := broken(conv, node, ctx):
            return Mismatch(f"one convolution would break {limit}", node)
        return Merged(node, conv, heir)

    def rewrite(self, match: Merged, rw: Rewriter) -> None:
        """One convolution."""
        rw.replace(match.root, match.conv.build(rw, match.heir))


def _term(tensor: Tensor, ctx: Context, root: Node) -> Term:
    """``tensor`` as a map of the tensor furthest up that it is a map of; of itself where it is none."""
    node = tensor.producer
    if node is None or not node.is_onnx or node.graph is not root.graph or not _inner(tensor, root, ctx):
        return Term(identity(tensor, root), tensor)
    try:
        if node.op == "Conv":
            window = convolution(node)
            return Term(window, node.inputs[0], (node,), 0, window.outline.macs(static(tensor, root)[1:]))
        if node.op in ("Add", "Sub") and not any(isinstance(t, Constant) for t in node.inputs):
            return _sum(node, ctx, root)
        if node.op in SCALES:
            by = scale(node, ctx)
            term = _term(node.inputs[by.operand], ctx, root)
            alone = node.op == "BatchNormalization" and not term.convs
            window = term.window.scaled(by.factor).shifted(by.shift)
            return Term(window, term.source, term.convs, term.norms + alone, term.macs)
    except Mismatch:
        if node is root:
            raise
    return Term(identity(tensor, root), tensor)


def _inner(tensor: Tensor, root: Node, ctx: Context) -> bool:
    """Whether ``tensor`` is the root's own, or read by one node alone."""
    return tensor is root.outputs[0] or (len(tensor.consumers) == 1 and not ctx.is_output(tensor))


def _sum(node: Node, ctx: Context, root: Node) -> Term:
    a, b = (_term(tensor, ctx, root) for tensor in node.inputs)
    if a.source is not b.source:
        raise Mismatch(f"adds up maps of {a.source.name!r} and {b.source.name!r}, they must be of one tensor", node)
    shapes = {static(tensor, root) for tensor in (*node.inputs, *node.outputs)}
    if len(shapes) > 1 or [x.stride for x in a.window.axes] != [x.stride for x in b.window.axes]:
        raise Mismatch("the operands differ in shape or stride", node)
    window = plus(a.window, b.window if node.op == "Add" else b.window.scaled(np.array(-1.0)))
    return Term(window, a.source, a.convs + b.convs, a.norms + b.norms, a.macs + b.macs)
