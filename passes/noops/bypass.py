"""What the rules of this family have in common: a node whose first output equals one of its inputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from surgery.ir import Node, Tensor
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


@dataclass(frozen=True)
class Bypass:
    """``node`` and the tensor that its first output equals; further outputs are read by nothing."""

    node: Node
    source: Tensor


class Drop(Rule[Bypass]):
    """``op(x) -> x``: subclasses say when."""

    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    @abstractmethod
    def source(self, node: Node, ctx: Context) -> Tensor:
        """The tensor that the first output equals; raises Mismatch when there is none."""

    def match(self, node: Node, ctx: Context) -> Bypass | Mismatch:
        """Ask :meth:`source`, and hold what it returns against the interface."""
        source = self.source(node, ctx)
        for extra in node.outputs[1:]:
            if extra.name and (extra.outputs or ctx.is_output(extra)):
                return Mismatch(f"its output {extra.name!r} is read, too", node)
        if node.op == "Identity" and _must_stay(node, source, ctx):
            return Mismatch("a graph output needs a node of its own", node)
        return Bypass(node, source)

    def rewrite(self, match: Bypass, rw: Rewriter) -> None:
        """Let the readers of the node read its source."""
        rw.replace_value(match.node.outputs[0], match.source)
        rw.remove(match.node)


def _must_stay(node: Node, source: Tensor, ctx: Context) -> bool:
    """Whether the Identity gives a name to what cannot take it: an input, a constant, or another output."""
    if not ctx.is_output(node.outputs[0]):
        return False
    return ctx.is_output(source) or source.producer is None or source.producer.graph is not node.graph


def same_shape(source: Tensor, node: Node) -> Tensor:
    """``source``, which must have the static shape of the output."""
    out = node.outputs[0]
    if not source.is_static or not out.is_static or source.shape != out.shape:
        raise Mismatch(f"makes {dims(out.shape)} of {dims(source.shape)}, the shapes must be known and equal", node)
    return source


def same_form(source: Tensor, node: Node) -> Tensor:
    """``source``, which must have the shape of the output, given that it has as many elements.

    So one dim may be unknown: it follows from the others.
    """
    a, b = source.shape, node.outputs[0].shape
    if a is not None and b is not None and len(a) == len(b):
        open_ = [(p, q) for p, q in zip(a, b, strict=True) if not (isinstance(p, int) and p == q)]
        if not open_ or (len(open_) == 1 and 0 not in a and not any(isinstance(d, int) for d in open_[0])):
            return source
    raise Mismatch(f"makes {dims(b)} of {dims(a)}, the shapes must be equal, and known but for one dim", node)
