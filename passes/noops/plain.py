"""Nodes that pass on their only input, or one of them alone."""

from __future__ import annotations

from passes.noops.bypass import Drop, same_shape
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, need


class DropIdentity(Drop):
    """``Identity(x) -> x``, unless it is what gives a graph output its name."""

    name, roots = "drop-identity", frozenset({"Identity"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input."""
        return node.inputs[0]


class DropDropout(Drop):
    """``Dropout(x) -> x`` in inference: no training mode, or a ratio of 0."""

    name, roots = "drop-dropout", frozenset({"Dropout"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input, when nothing is dropped; before opset 7 an attribute says so, from 12 on an input."""
        if ctx.opset < 7 and not node.attrs.get("is_test", 0):
            raise Mismatch("is_test is 0, it must be 1", node)
        training = node.input(2)
        off = training is None or (isinstance(training, Constant) and not training.values.any())
        if not off and ops.scalar(node.input(1)) != 0:
            raise Mismatch("training_mode must be absent or false, or the ratio 0", node)
        return node.inputs[0]


class DropSingle(Drop):
    """Concat, Sum, Max, Min, Mean of one tensor, and Split into one part."""

    name, roots = "drop-single", frozenset({"Concat", "Sum", "Max", "Min", "Mean", "Split"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The only operand."""
        count = len(node.outputs) if node.op == "Split" else len(node.inputs)
        if count != 1:
            raise Mismatch(f"has {count} parts, it must have one", node)
        return node.inputs[0]


class DropChoice(Drop):
    """``Where(all true, a, b) -> a`` and ``Where(all false, a, b) -> b``."""

    name, roots = "drop-choice", frozenset({"Where"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """What is chosen, when a constant mask of one value says so and nothing stretches it."""
        mask = need.constant(node, 0)
        if mask.size == 0 or mask.min() != mask.max():
            raise Mismatch("the mask holds both values, it must hold one", node)
        return same_shape(node.inputs[1 if mask.flat[0] else 2], node)
