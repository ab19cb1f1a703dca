"""A factor on the way from a layer to a product, such as the scale of attention, taken into the layer's weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from passes.linear.numbers import is_finite
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need

Array = np.ndarray[Any, Any]
FORMS = frozenset({"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"})
"""Operators that arrange elements anew."""
PARTS = frozenset({"Split", "Gather"})
"""Operators that take a part of the elements."""
LAYERS = {"Conv": (1, 2), "Gemm": (1, 2), "MatMul": (1,)}
"""By operator, the inputs that a factor on its result multiplies: weight and bias."""
MOST = 1 << 22
"""Elements of the largest value whose factors are written down one by one."""

Scaled = tuple[Node, int, Array]
"""A node, an index of its inputs, and the array that this constant becomes."""


@dataclass(frozen=True)
class Taken:
    """A product with a number, and the constants that take it over."""

    node: Node
    x: Value
    scaled: tuple[Scaled, ...]


class TakeScale(Rule[Taken]):
    """``Reshape(MatMul(x, W) + b) * s -> Reshape(MatMul(x, W * s) + b * s)``, also through Transpose, Split and MatMul.

    The scale of attention, before or behind the product of queries and keys. Rounding: the weights are rounded once
    more.
    """

    name, roots = "take-scale", frozenset({"Mul", "Div"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Taken | Mismatch:
        """A number as factor, and a way that nothing else reads to a layer of constant weights."""
        index = 1 if isinstance(node.inputs[1], Constant) else 0
        factor, x = ops.scalar(node.inputs[index]), node.inputs[1 - index]
        if factor is None or not isinstance(x, Value) or (node.op == "Div" and (index == 0 or factor == 0)):
            return Mismatch("multiplies by no single number", node, absent=True)
        need.dtype(x, node)
        if x.producer is None or x.producer.op not in FORMS | PARTS | {"MatMul"}:
            return Mismatch("follows no change of form, no part of a value and no matrix product", node, absent=True)
        shape = need.static(x, node)
        if shape != node.outputs[0].shape or prod(shape) > MOST:
            return Mismatch(f"stretches what it multiplies, or has more than {MOST} elements", node)
        scaled = _taken(x, np.full(shape, 1 / factor if node.op == "Div" else factor), node, ctx)
        return Taken(node, x, tuple(scaled))

    def rewrite(self, match: Taken, rw: Rewriter) -> None:
        """New constants; the product goes."""
        for node, index, array in match.scaled:
            rw.set_input(node, index, rw.constant(array, name=node.inputs[index].name))
        rw.replace(match.node, match.x)


def _taken(tensor: Tensor, factors: Array, reader: Node, ctx: Context) -> list[Scaled]:
    """What takes over ``factors``, one for every element of ``tensor``; raises Mismatch where nothing can."""
    _others(tensor, factors, reader, ctx)
    maker = tensor.producer
    if maker is None or not maker.is_onnx or maker.graph is not reader.graph:
        raise Mismatch(f"{tensor.name!r} comes from no layer of constant weights", reader)
    if maker.op in LAYERS and isinstance(maker.input(1), Constant):
        return _layer(maker, factors)
    source = maker.inputs[0]
    if maker.op == "MatMul" and factors.size and (factors == factors.flat[0]).all():
        return _taken(source, np.full(need.static(source, maker), factors.flat[0]), maker, ctx)
    if maker.op == "Add" and any(isinstance(operand, Constant) for operand in maker.inputs):
        index = 0 if isinstance(maker.inputs[0], Constant) else 1
        return [_constant(maker, index, factors), *_taken(maker.inputs[1 - index], factors, maker, ctx)]
    if maker.op in FORMS | PARTS:
        return _taken(source, _before(maker, tensor, factors), maker, ctx)
    raise Mismatch(f"comes by way of {maker.op} {maker.name!r}, which a factor cannot pass", reader)


def _others(tensor: Tensor, factors: Array, reader: Node, ctx: Context) -> None:
    """Nothing else may read an element that a factor is on."""
    if sum(operand is tensor for operand in reader.inputs) > 1:
        raise Mismatch(f"{reader.name!r} reads {tensor.name!r} twice, the factor would be on both", reader)
    for other in tensor.consumers:
        if other is not reader and (other.op != "Gather" or (_picked(other, factors) != 1).any()):
            raise Mismatch(f"{tensor.name!r} is also read by {other.name!r}, without the factor", reader)
    if ctx.is_output(tensor):
        raise Mismatch(f"{tensor.name!r} is also a graph output", reader)


def _picked(gather: Node, array: Array) -> Array:
    return array.take(need.constant(gather, 1), axis=ops.axis(gather, 0))


def _before(maker: Node, tensor: Tensor, factors: Array) -> Array:
    """The factors of what ``maker`` reads, from those of ``tensor``, which it makes."""
    shape = need.static(maker.inputs[0], maker)
    if prod(shape) > MOST:
        raise Mismatch(f"{maker.inputs[0].name!r} has more than {MOST} elements", maker)
    if maker.op == "Transpose":
        return factors.transpose(np.argsort(ops.permutation(maker) or ()))
    if maker.op not in PARTS:
        return factors.reshape(shape)
    axis = ops.axis(maker, 0)
    if maker.op == "Gather":
        at: Any = need.constant(maker, 1)
    else:
        sizes = [need.static(value, maker)[axis] for value in maker.outputs]
        start = sum(sizes[: [value is tensor for value in maker.outputs].index(True)])
        at = slice(start, start + factors.shape[axis])
    whole = np.ones(shape)
    place = (*[slice(None)] * axis, at)
    whole[place] = factors
    if not np.array_equal(whole[place], factors):
        raise Mismatch(f"{maker.name!r} takes an element twice, with and without the factor", maker)
    return whole


def _layer(layer: Node, factors: Array) -> list[Scaled]:
    """The constants of ``layer`` times the factors, which may differ from channel to channel."""
    channels = 1 if layer.op == "Conv" else factors.ndim - 1
    others = tuple(axis for axis in range(factors.ndim) if axis != channels)
    along = factors.min(axis=others)
    if not np.array_equal(along, factors.max(axis=others)):
        raise Mismatch(f"the factor is on some elements of a channel of {layer.name!r} only", layer)
    found = []
    for index in LAYERS[layer.op]:
        if layer.input(index) is not None:
            array = need.constant(layer, index)
            if not array.ndim:
                raise Mismatch(f"a number of {layer.name!r} is added to all channels", layer)
            first = layer.op == "Conv" or (layer.op == "Gemm" and index == 1 and layer.attrs.get("transB"))
            shape = [1] * array.ndim
            shape[0 if first else -1] = -1
            found.append(_scaled(layer, index, array * along.reshape(shape)))
    return found


def _constant(node: Node, index: int, factors: Array) -> Scaled:
    """The constant operand of a sum times the factors, which may not differ where it is spread."""
    array = need.constant(node, index)
    shape = (1,) * (factors.ndim - array.ndim) + array.shape
    spread = tuple(axis for axis, size in enumerate(shape) if size == 1)
    along = factors.min(axis=spread, keepdims=True)
    if len(shape) > factors.ndim or not np.array_equal(along, factors.max(axis=spread, keepdims=True)):
        raise Mismatch(f"a number of {node.name!r} is added to elements with and without the factor", node)
    return _scaled(node, index, (array.reshape(shape) * along).reshape(array.shape))


def _scaled(node: Node, index: int, array: Array) -> Scaled:
    dtype = node.inputs[index].dtype
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype)
    if rounded.shape != node.inputs[index].shape or not is_finite(rounded):
        raise Mismatch(f"the weights that come out are beyond the range of {dtype}, or larger", node)
    return node, index, rounded
