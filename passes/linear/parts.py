"""Nodes read as linear maps, and maps written as nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.linear.batchnorm import affine
from passes.linear.numbers import is_finite
from passes.linear.window import Array, Window, convolution, end_pads, pointwise
from surgery.ir import Constant, Node, Tensor, Value
from surgery.rewrite import Context, Limit, Mismatch, Rewriter, need

FACTORS = ("Mul", "Div", "Add", "Sub")
"""Operators that are ``y = factor * x + shift`` per channel where all operands but one are constants."""
SCALES = (*FACTORS, "BatchNormalization")
"""All that are; before a convolution the normalisation is fuse-batchnorm's."""


@dataclass(frozen=True)
class Scale:
    """``y = factor * x + shift``; either is one number or one per channel, ``operand`` the index of x."""

    factor: Array
    shift: Array
    operand: int = 0


def scale(node: Node, ctx: Context) -> Scale:
    """What a node of :data:`SCALES` computes; raises Mismatch for anything that is not per channel."""
    if node.op == "BatchNormalization":
        by = affine(node, ctx.opset)
        return Scale(by.factor, by.shift)
    operand = 1 if isinstance(node.inputs[0], Constant) else 0
    x, value = node.inputs[operand], _per_channel(node, 1 - operand)
    need.dtype(x, node)
    need.rank(x, node, 3, 4, 5)
    if x.shape != node.outputs[0].shape:
        raise Mismatch(f"the constant {node.inputs[1 - operand].name!r} makes it larger", node)
    one, zero = np.ones(1), np.zeros(1)
    if node.op == "Add":
        return Scale(one, value, operand)
    if node.op == "Sub":
        return Scale(one, -value) if operand == 0 else Scale(-one, value, operand)
    if node.op == "Div":
        if operand == 1 or not value.all():
            raise Mismatch("divides by what is computed, or by zero", node)
        return Scale(1 / value, zero)
    return Scale(value, zero, operand)


def _per_channel(node: Node, index: int) -> Array:
    """A constant operand that is one number or one per channel of the other operand."""
    rank = need.rank(node.outputs[0], node)
    array = need.constant(node, index).astype(np.float64)
    shape = (1,) * (rank - array.ndim) + array.shape
    if array.size != 1 and shape[1] != array.size:
        raise Mismatch(f"{node.inputs[index].name!r} has the shape {array.shape}, which is not one per channel", node)
    return array.reshape(-1)


def identity(tensor: Tensor, node: Node) -> Window:
    """The map that leaves ``tensor`` as it is."""
    channels, *sizes = static(tensor, node)
    return pointwise(np.ones(channels), len(sizes))


def static(tensor: Tensor, node: Node) -> tuple[int, ...]:
    """Channels and sizes of ``tensor``, which must be known."""
    need.rank(tensor, node, 3, 4, 5)
    shape = tensor.shape or ()
    if not all(isinstance(dim, int) for dim in shape[1:]):
        raise Mismatch(f"{tensor.name!r} has the shape {shape}, all but the batch must be known", node)
    return tuple(dim for dim in shape[1:] if isinstance(dim, int))


@dataclass(frozen=True)
class Convolved:
    """A convolution to be made: what it reads, weight and bias in its dtype, and its attributes."""

    x: Tensor
    weight: Array
    bias: Array
    attrs: dict[str, Any]

    def build(self, rw: Rewriter, heir: Node | None) -> Value:
        """Make the node, without a bias of nothing but zeros."""
        name = heir.name if heir is not None else ""
        weight = rw.constant(self.weight, name=f"{name}/weight")
        bias = rw.constant(self.bias, name=f"{name}/bias") if self.bias.any() else None
        return rw.op("Conv", self.x, weight, bias, heir=heir, **self.attrs)


def convolved(window: Window, x: Tensor, result: Tensor, node: Node) -> Convolved:
    """``window`` of ``x`` as a Conv that gives a tensor like ``result``; raises Mismatch where none does."""
    sizes, outputs = static(x, node)[1:], static(result, node)[1:]
    ends = end_pads(window, sizes, outputs)
    if ends is None:
        raise Mismatch(f"no pads give sizes of {list(outputs)} from {list(sizes)}", node)
    dtype = need.dtype(x, node)
    with np.errstate(over="ignore"):
        weight, bias = window.weight.astype(dtype), window.bias.astype(dtype)
    if not (is_finite(weight) and is_finite(bias)):
        raise Mismatch(f"the weights that come out are beyond the range of {dtype}", node)
    attrs: dict[str, Any] = {
        "group": window.group,
        "kernel_shape": list(window.taps),
        "pads": [-axis.first for axis in window.axes] + ends,
        "strides": [axis.stride for axis in window.axes],
        "dilations": [axis.step for axis in window.axes],
    }
    return Convolved(x, weight, bias, attrs)


def broken(conv: Convolved, node: Node, ctx: Context) -> str:
    """The first limit of the march that ``conv`` in the place of ``node`` breaks; "" when it keeps all."""
    return next(map(str, violations(conv, node, ctx)), "")


def violations(conv: Convolved, node: Node, ctx: Context) -> Sequence[Limit]:
    """The limits of the march that ``conv`` in the place of ``node`` breaks; none without a march."""
    if ctx.target is None:
        return ()
    x, y = (Value("ghost", tensor.dtype, tensor.shape) for tensor in (conv.x, node.outputs[0]))
    operands: list[Tensor] = [x, Constant("ghost", conv.weight), Constant("ghost", conv.bias)]
    found: Sequence[Limit] = ctx.target.verdict(Node("Conv", "ghost", conv.attrs, operands, [y]), ctx.opset).violations
    return found


def linear(node: Node, ctx: Context) -> tuple[Window, Tensor]:
    """The map that ``node`` computes, and of what; raises Mismatch when it is none."""
    if node.op == "Conv":
        return convolution(node), node.inputs[0]
    by = scale(node, ctx)
    return identity(node.inputs[by.operand], node).scaled(by.factor).shifted(by.shift), node.inputs[by.operand]
