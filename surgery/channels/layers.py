"""Layers with weights: which channels their weights mix, and which they pass on."""

from __future__ import annotations

import numpy as np

from surgery.channels.ties import Atoms, Ties, Unclear
from surgery.ir import Constant, Node, Tensor, ops

WINDOW = "a window that reaches over it"


def weight_of(node: Node) -> Constant | None:
    """The weight of a layer: the constant operand of a Conv, ConvTranspose, Gemm or MatMul; None for other nodes."""
    if not node.is_onnx or node.op not in LAYERS or len(node.inputs) < 2:
        return None
    operands = node.inputs[1::-1] if node.op in ("Gemm", "MatMul") else node.inputs[1:2]
    return next((t for t in operands if isinstance(t, Constant)), None)


def conv(node: Node, ties: Ties) -> None:
    """``Conv``: weight [O, I/g, ...]; with one group it mixes channels, a depthwise one passes them on."""
    x, y, weight = node.inputs[0], node.outputs[0], _constant_weight(node)
    _ends(node, ties)
    groups, out = int(ops.attr(node, "group", 1)), ties.atoms(y, 1, node)
    source, columns = ties.atoms(x, 1, node), ties.atoms(weight, 1, node)
    ties.tie(ties.atoms(weight, 0, node), out)
    if groups == 1:
        ties.tie(source, columns)
    elif len(columns) == 1:
        ties.tie(source.repeat(len(out) // groups), out)
    else:
        _same_in_every_group(source, columns, ties)
        _same_in_every_group(out, out[: len(out) // groups], ties)


def conv_transpose(node: Node, ties: Ties) -> None:
    """``ConvTranspose``: weight [I, O/g, ...]."""
    x, y, weight = node.inputs[0], node.outputs[0], _constant_weight(node)
    _ends(node, ties)
    groups, out = int(ops.attr(node, "group", 1)), ties.atoms(y, 1, node)
    source, columns = ties.atoms(x, 1, node), ties.atoms(weight, 1, node)
    ties.tie(source, ties.atoms(weight, 0, node))
    if groups == 1:
        ties.tie(columns, out)
    elif len(source) == groups:
        ties.tie(source.repeat(len(columns)), out)
        if len(columns) > 1:
            ties.hold(columns, f"the groups of {node.name!r}")
    else:
        _same_in_every_group(out, columns, ties)
        _same_in_every_group(source, source[: len(source) // groups], ties)


def gemm(node: Node, ties: Ties) -> None:
    """``Gemm``: rows, columns, and what is summed over."""
    a, b, y = node.inputs[0], node.inputs[1], node.outputs[0]
    turned_a, turned_b = int(ops.attr(node, "transA", 0)), int(ops.attr(node, "transB", 0))
    ties.tie(ties.atoms(a, 1 - turned_a, node), ties.atoms(b, turned_b, node))
    ties.tie(ties.atoms(a, turned_a, node), ties.atoms(y, 0, node))
    ties.tie(ties.atoms(b, 1 - turned_b, node), ties.atoms(y, 1, node))
    if (bias := node.input(2)) is not None:
        broadcast(node, bias, y, ties)


def matmul(node: Node, ties: Ties) -> None:
    """``MatMul``: as Gemm over the last two axes, those before them broadcast."""
    a, b, y = node.inputs[0], node.inputs[1], node.outputs[0]
    if a.rank is None or b.rank is None or min(a.rank, b.rank) < 2:
        raise Unclear("an operand of fewer than two axes")
    ties.tie(ties.atoms(a, -1, node), ties.atoms(b, b.rank - 2, node))
    ties.tie(ties.atoms(a, a.rank - 2, node), ties.atoms(y, (y.rank or 2) - 2, node))
    ties.tie(ties.atoms(b, b.rank - 1, node), ties.atoms(y, (y.rank or 1) - 1, node))
    for operand in (a, b):
        broadcast(node, operand, y, ties, last=2)


def broadcast(node: Node, tensor: Tensor, y: Tensor, ties: Ties, last: int = 0) -> None:
    """Axes of ``tensor`` and of ``y``, counted from the end and without the ``last`` ones, are the same channels.

    An axis of size 1 that is spread over the output says nothing about the output's channels.
    """
    if tensor.shape is None or y.shape is None:
        raise Unclear("a shape that is not known")
    for back in range(1 + last, len(tensor.shape) + 1):
        one, other = tensor.shape[-back], y.shape[-back]
        if one == other or one != 1:
            ties.tie(ties.atoms(tensor, -back, node), ties.atoms(y, -back, node))


def _constant_weight(node: Node) -> Constant:
    weight = weight_of(node)
    if weight is None:
        raise Unclear("weights that are computed")
    return weight


def _ends(node: Node, ties: Ties) -> None:
    """The batch is passed on, windows reach over the axes of space, a bias belongs to the output channels."""
    x, y = node.inputs[0], node.outputs[0]
    ties.tie(ties.atoms(x, 0, node), ties.atoms(y, 0, node))
    for tensor in (x, y):
        for axis in range(2, tensor.rank or 0):
            ties.hold(ties.atoms(tensor, axis, node), WINDOW)
    if (bias := node.input(2)) is not None:
        ties.tie(ties.atoms(bias, 0, node), ties.atoms(y, 1, node))


def _same_in_every_group(channels: Atoms, of_one: Atoms, ties: Ties) -> None:
    """Every group loses the same of its channels: those at the places ``of_one``."""
    ties.tie(channels, np.tile(of_one, len(channels) // len(of_one)))


LAYERS = {"Conv": conv, "ConvTranspose": conv_transpose, "Gemm": gemm, "MatMul": matmul}
"""The rule of every operator with weights."""
