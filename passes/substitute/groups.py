"""Group normalisation of what is no NxCxHxW of known channels and constant gain: by way of a Reshape."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import TensorProto

from passes.substitute.base import Substitution, floats, plus, squared
from passes.substitute.reductions import channels
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.ir.exporter import elem_type
from surgery.rewrite import Context, Mismatch, Rewriter, build, need


@dataclass(frozen=True)
class Grouped:
    """A normalisation over the channels of each group and all behind them."""

    node: Node
    x: Tensor
    channels: int
    groups: int


class GroupNormByReshape(Substitution[Grouped]):
    """``GroupNormalization(x) -> Reshape(d / Sqrt(ReduceMean(d^2) + epsilon)) * gain + bias``.

    With ``d = v - ReduceMean(v)`` and v the value as NxGx(the rest). Its definition, but for the order: onnx's own
    body takes the square of the mean from the mean of the squares, which costs all digits beside a large offset.
    """

    name, roots = "group-norm-by-reshape", frozenset({"GroupNormalization"})
    cures = frozenset({"GroupNormalization.opset"})

    def match(self, node: Node, ctx: Context) -> Grouped:
        """A float operand of known channels, whose constants are there."""
        x = floats(node)
        need.rank(x, node)
        count, groups = channels(x, node), int(node.attrs["num_groups"])
        if count % groups:
            raise Mismatch(f"{count} channels are not {groups} equal groups", node)
        for index, tensor in enumerate(node.inputs):
            if isinstance(tensor, Constant):
                need.constant(node, index)
        return Grouped(node, x, count, groups)

    def build(self, match: Grouped, rw: Rewriter) -> Tensor:
        """Twelve nodes at most, two Casts for float16, and a Shape where several dims are unknown."""
        x = match.x
        grouped = build.reshape(rw, x, [0, match.groups, -1])
        if x.dtype is not None and x.dtype.itemsize < 4:
            grouped = rw.op("Cast", grouped, to=TensorProto.FLOAT)
        rest = rw.op("Sub", grouped, build.reduce(rw, "ReduceMean", grouped, [2]))
        mean = build.reduce(rw, "ReduceMean", squared(rw, rest), [2])
        root = rw.op("Sqrt", plus(rw, mean, float(ops.attr(match.node, "epsilon", 1e-5))))
        unit = rw.op("Div", rest, root)
        if x.dtype is not None and x.dtype.itemsize < 4:
            unit = rw.op("Cast", unit, to=elem_type(x))
        return _scaled(rw, _like(rw, unit, x), match)


def _scaled(rw: Rewriter, value: Value, match: Grouped) -> Value:
    """``value * gain + bias``, a number per channel."""
    shape = (1, match.channels, *[1] * ((match.x.rank or 2) - 2))
    for op, operand in zip(("Mul", "Add"), match.node.inputs[1:3], strict=True):
        known = isinstance(operand, Constant)
        turned = rw.constant(operand.values.reshape(shape)) if known else build.reshape(rw, operand, shape)
        value = rw.op(op, value, turned)
    return value


def _like(rw: Rewriter, value: Value, x: Tensor) -> Value:
    """``value`` in the shape of ``x``, of which the first dim is that of ``value``."""
    rest = [d if isinstance(d, int) else -1 for d in (x.shape or ())[1:]]
    if rest.count(-1) <= 1:
        return build.reshape(rw, value, [0, *rest])
    return rw.op("Reshape", value, rw.op("Shape", x))
