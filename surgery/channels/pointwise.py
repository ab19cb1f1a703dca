"""Operators that work channel by channel, and those that look at several at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from surgery.channels.layers import WINDOW, broadcast
from surgery.channels.ties import Ties, Unclear
from surgery.ir import Node, Tensor, ops


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _names(
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift Cast Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp "
    "Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log Max Mean Min Mish "
    "Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum "
    "Swish Tan Tanh ThresholdedRelu Where Xor"
)
"""Every element of the output comes from the elements at its place."""
POOLS = _names("AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool")
SOFT = _names("Softmax LogSoftmax Hardmax")
QUANTISE = _names("QuantizeLinear DequantizeLinear")
REDUCTIONS = _names(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare ArgMax ArgMin"
)

SINGLE_AXIS = 13
"""Opset from which Softmax and its like work along one axis; before, over all axes from that one on."""


def elementwise(node: Node, ties: Ties) -> None:
    """All axes are passed on, broadcast as ONNX does."""
    for tensor in (t for t in node.inputs if not t.is_empty()):
        broadcast(node, tensor, node.outputs[0], ties)
    for more in node.outputs[1:]:
        same_axes(node, node.outputs[0], more, ties)


def pool(node: Node, ties: Ties) -> None:
    """Batch and channels are passed on."""
    x = node.inputs[0]
    for y in (y for y in node.outputs if not y.is_empty()):
        same_axes(node, x, y, ties, (0, 1))
        for tensor in (x, y):
            _hold(node, tensor, range(2, tensor.rank or 0), WINDOW, ties)


def batch_norm(node: Node, ties: Ties) -> None:
    """``BatchNormalization``, ``InstanceNormalization``: parameters per channel, on axis 1."""
    x, y = node.inputs[0], node.outputs[0]
    same_axes(node, x, y, ties)
    for parameter in node.inputs[1:]:
        ties.tie(ties.atoms(parameter, 0, node), ties.atoms(x, 1 if (x.rank or 0) > 1 else 0, node))


def layer_norm(node: Node, ties: Ties) -> None:
    """``LayerNormalization``: a channel that goes leaves the statistics of the others, which is approximate."""
    same_axes(node, node.inputs[0], node.outputs[0], ties)
    for parameter in (t for t in node.inputs[1:] if not t.is_empty()):
        broadcast(node, parameter, node.outputs[0], ties)
    for statistics in (t for t in node.outputs[1:] if not t.is_empty()):
        ties.hold_all(statistics, node, f"the statistics of {node.name!r}, which are read")


def group_norm(node: Node, ties: Ties) -> None:
    """``GroupNormalization``: every group loses the same of its channels."""
    x, groups = node.inputs[0], int(ops.attr(node, "num_groups", 1))
    same_axes(node, x, node.outputs[0], ties)
    channels = ties.atoms(x, 1, node)
    ties.tie(channels, np.tile(channels[: len(channels) // groups], groups))
    for parameter in node.inputs[1:]:
        own = ties.atoms(parameter, 0, node)
        if len(own) == len(channels):
            ties.tie(own, channels)
        else:
            ties.hold(own, f"the groups of {node.name!r}")


def soft(node: Node, ties: Ties) -> None:
    """Shares of a whole: what they are shares of stays."""
    x = node.inputs[0]
    same_axes(node, x, node.outputs[0], ties)
    rank, flattens = x.rank or 0, ties.opset < SINGLE_AXIS
    first = int(ops.attr(node, "axis", 1 if flattens else -1)) % max(1, rank)
    _hold(node, x, range(first, rank) if flattens else (first,), f"{node.op} {node.name!r}", ties)


def quantise(node: Node, ties: Ties) -> None:
    """All axes are passed on; scales and zero points are of one axis where there are several."""
    x = node.inputs[0]
    same_axes(node, x, node.outputs[0], ties)
    axis = int(ops.attr(node, "axis", 1))
    for parameter in (t for t in node.inputs[1:] if not t.is_empty()):
        if parameter.rank == 1 and (parameter.shape or (1,))[0] != 1:
            ties.tie(ties.atoms(parameter, 0, node), ties.atoms(x, axis, node))
        elif (parameter.rank or 0) > 1:
            raise Unclear("scales of blocks")


def reduce(node: Node, ties: Ties) -> None:
    """Axes that are reduced stay, the others are passed on."""
    x, y = node.inputs[0], node.outputs[0]
    rank = x.rank
    axes = [int(ops.attr(node, "axis", 0))] if node.op.startswith("Arg") else ops.axes(node)
    if rank is None or (axes is None and node.input(1) is not None):
        raise Unclear("axes that are computed")
    gone = {a % max(1, rank) for a in (range(rank) if axes is None else axes)}
    kept = [a for a in range(rank) if a not in gone]
    keeps = bool(ops.attr(node, "keepdims", 1))
    _hold(node, x, gone, f"{node.op} {node.name!r}, which sums it up", ties)
    for place, axis in enumerate(kept):
        ties.tie(ties.atoms(x, axis, node), ties.atoms(y, axis if keeps else place, node))


def same_axes(node: Node, x: Tensor, y: Tensor, ties: Ties, axes: Iterable[int] | None = None) -> None:
    """Axes of ``x`` (all unless named) are those of ``y``."""
    if x.rank is None or x.rank != y.rank:
        raise Unclear("a shape that is not known")
    for axis in range(x.rank) if axes is None else axes:
        ties.tie(ties.atoms(x, axis, node), ties.atoms(y, axis, node))


def _hold(node: Node, tensor: Tensor, axes: Iterable[int], reason: str, ties: Ties) -> None:
    for axis in axes:
        ties.hold(ties.atoms(tensor, axis, node), reason)


POINTWISE = {
    **dict.fromkeys(ELEMENTWISE, elementwise),
    **dict.fromkeys(POOLS, pool),
    **dict.fromkeys(SOFT, soft),
    **dict.fromkeys(QUANTISE, quantise),
    **dict.fromkeys(REDUCTIONS, reduce),
    "BatchNormalization": batch_norm,
    "InstanceNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
}
"""The rule of every operator of this kind."""
