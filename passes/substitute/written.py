"""Layer normalisation as exporters before opset 17 wrote it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.substitute.base import Substitution, keeps_dims, plus, reduced_axes, squared, wide
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, need

WIDEST = 512
"""The longest axis that is averaged by a product: its matrix then takes 1 MiB."""

PARTS = 64
"""Nodes that are looked at for what the CPU makes."""
MOVES = frozenset({"Concat", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
PASSED = frozenset({"Add", "Identity", "Relu", "Squeeze", "Transpose", "Unsqueeze"})
"""What the CPU makes is behind these what it is before them."""


@dataclass(frozen=True)
class Written:
    """The Div of a written-out normalisation of x over its last axis; ``floats`` where x comes from the CPU."""

    node: Node
    x: Tensor
    epsilon: float
    floats: bool


class WrittenLayerNorm(Substitution[Written]):
    """``d / Sqrt(ReduceMean(d^2) + e) -> d * Reciprocal(Sqrt(MatMul(d^2, 1/C) + e))``, ``d = x - ReduceMean(x)``.

    Over the last axis of rank 4, as older exports have it and as LayerNormalization is written out. A product by a
    matrix of equal numbers gives the mean in every place, so that nothing is stretched; equal weights stay equal in
    int8. For X3, which neither reduces the last axis nor subtracts.

    Where x comes from the CPU, or is a sum with what does, the toolchain leaves some of these nodes on the CPU, too:
    there ``d`` is the sum of two products, by the identity and by the mean, which it has as one convolution. A block of
    56x56x96 behind windows of attention: 13 rows of the CPU and 8 segments of 6.3 ms, or 9 and 5 of 5.9 ms.
    """

    name, roots = "written-layer-norm", frozenset({"Div"})
    cures = frozenset({"Div.forms"})

    def match(self, node: Node, ctx: Context) -> Written:
        """The seven nodes, of a value in float32 of which the last axis is not too long."""
        rest = node.inputs[0]
        x = _source(node)
        root = need.producer(node, 1, "Sqrt")
        total = need.producer(root, 0, "Add")
        epsilon = ops.scalar(total.inputs[1])
        if epsilon is None:
            raise Mismatch(f"{total.inputs[1].name!r} is no number, an epsilon must be constant", node)
        square = need.producer(_mean(total, 0), 0, "Pow", "Mul")
        if square.inputs[0] is not rest or not _is_square(square):
            raise Mismatch(f"{square.outputs[0].name!r} is not the square of {rest.name!r}", node)
        wide(node)
        need.rank(x, node, 4)
        if not isinstance(size := (x.shape or ())[-1], int) or size > WIDEST:
            raise Mismatch(f"the last axis is of size {size}, it must be known and at most {WIDEST}", node)
        return Written(node, x, epsilon, _is_of_the_cpu(x, ctx))

    def build(self, match: Written, rw: Rewriter) -> Tensor:
        """Eight nodes, or nine."""
        x = match.x
        mean = rw.op("MatMul", x, _mean_matrix(rw, x, -1.0))
        rest = rw.op("Add", rw.op("MatMul", x, _identity(rw, x)) if match.floats else x, mean)
        variance = rw.op("MatMul", squared(rw, rest), _mean_matrix(rw, x, 1.0))
        return rw.op("Mul", rest, rw.op("Reciprocal", rw.op("Sqrt", plus(rw, variance, match.epsilon))))


def _mean_matrix(rw: Rewriter, x: Tensor, sign: float) -> Constant:
    """CxC of ``sign / C`` for the last axis of ``x``."""
    size = (x.shape or ())[-1]
    assert isinstance(size, int)
    return rw.constant(np.full((size, size), sign / size), like=x)


def _identity(rw: Rewriter, x: Tensor) -> Constant:
    """The identity for the last axis of ``x``."""
    size = (x.shape or ())[-1]
    assert isinstance(size, int)
    return rw.constant(np.eye(size), like=x)


def _is_of_the_cpu(x: Tensor, ctx: Context) -> bool:
    """Whether the CPU moves ``x`` or a part of a sum that it is, maybe with a Relu behind."""
    makers = [x.producer]
    for _ in range(PARTS):
        maker = makers.pop() if makers else None
        if maker is not None and maker.op in MOVES and ctx.device(maker) == "cpu":
            return True
        if maker is not None and maker.op in PASSED:
            makers += [operand.producer for operand in maker.inputs]
    return False


def _source(node: Node) -> Tensor:
    """What the dividend is, before its mean was taken away."""
    difference = need.producer(node, 0, "Sub")
    x = difference.inputs[0]
    if _mean(difference, 1).inputs[0] is not x:
        raise Mismatch(f"{difference.inputs[1].name!r} is not the mean of {x.name!r}", node)
    return x


def _mean(node: Node, index: int) -> Node:
    """The mean over the last axis, which stays, that operand ``index`` is."""
    mean = need.producer(node, index, "ReduceMean")
    axes = reduced_axes(mean)
    if axes != (need.rank(mean.inputs[0], node) - 1,) or not keeps_dims(mean):
        raise Mismatch(f"a mean is over axes {list(axes)}, it must be over the last alone, which stays", node)
    return mean


def _is_square(node: Node) -> bool:
    return node.inputs[1] is node.inputs[0] if node.op == "Mul" else ops.scalar(node.inputs[1]) == 2
