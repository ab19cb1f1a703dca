"""Layer and root-mean-square normalisation over the last axes.

Both compute the mean first and square what is left of it, so that a large offset costs no digits, and both do so in
float32 whatever the operands are, as ONNX has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx import TensorProto

from passes.substitute.base import Substitution, floats, is_read, plus, spread, squared
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.ir.exporter import elem_type
from surgery.rewrite import Context, Mismatch, Rewriter, build, need


@dataclass(frozen=True)
class Normalised:
    """A normalisation over ``axes``: of what, with which epsilon, and the gain and bias behind it."""

    node: Node
    x: Tensor
    axes: tuple[int, ...]
    epsilon: float
    gain: Tensor
    bias: Tensor | None


def _layer(node: Node) -> Normalised:
    """A float operand of known rank, gain, and maybe bias; the axes from ``axis`` on."""
    x = floats(node)
    rank = need.rank(x, node)
    stash = int(ops.attr(node, "stash_type", TensorProto.FLOAT))
    if stash != TensorProto.FLOAT:
        raise Mismatch(f"stash_type is {stash}, it must be {TensorProto.FLOAT} (float32)", node)
    for index, tensor in enumerate(node.inputs):
        if isinstance(tensor, Constant):
            need.constant(node, index)
    axes = tuple(range(ops.axis(node, -1), rank))
    return Normalised(node, x, axes, float(ops.attr(node, "epsilon", 1e-5)), need.present(node, 1), node.input(2))


def _widened(rw: Rewriter, x: Tensor) -> Tensor:
    assert x.dtype is not None
    return rw.op("Cast", x, to=TensorProto.FLOAT) if x.dtype.itemsize < 4 else x


def _narrowed(rw: Rewriter, value: Tensor, like: Tensor) -> Tensor:
    return value if value.dtype == like.dtype else rw.op("Cast", value, to=elem_type(like))


def _scaled(rw: Rewriter, x: Tensor, match: Normalised) -> Tensor:
    """``x * gain + bias``; constants take the rank of x: of lower rank they crash the vendor's compiler."""
    rank = match.x.rank or 0
    for op, operand in (("Mul", match.gain), ("Add", match.bias)):
        if isinstance(operand, Constant):
            x = rw.op(op, x, rw.constant(spread(operand.values, rank)))
        elif operand is not None:
            x = rw.op(op, x, operand)
    return x


def _deviation(rw: Rewriter, rest: Tensor, match: Normalised) -> Value:
    """The root of the mean square of ``rest``."""
    mean = build.reduce(rw, "ReduceMean", squared(rw, rest), match.axes)
    return rw.op("Sqrt", plus(rw, mean, match.epsilon))


class LayerNormalization(Substitution[Normalised]):
    """``LayerNormalization(x) -> d / Sqrt(ReduceMean(d^2) + epsilon) * gain + bias`` with ``d = x - ReduceMean(x)``.

    Its definition. Mean and inverse deviation, where they are read, are the mean and a Reciprocal of the root.
    """

    name, roots = "layer-normalization", frozenset({"LayerNormalization"})

    def match(self, node: Node, ctx: Context) -> Normalised:
        """A float operand of known rank."""
        return _layer(node)

    def build(self, match: Normalised, rw: Rewriter) -> Tensor:
        """Nine nodes at most, two Casts around them for float16, and one for the inverse deviation."""
        x = _widened(rw, match.x)
        mean = build.reduce(rw, "ReduceMean", x, match.axes)
        rest = rw.op("Sub", x, mean)
        root = _deviation(rw, rest, match)
        if is_read(match.node, 1):
            rw.replace_value(match.node.outputs[1], mean)
        return _scaled(rw, _narrowed(rw, self._unit(match, rest, root, rw), match.x), match)

    @staticmethod
    def _unit(match: Normalised, rest: Tensor, root: Tensor, rw: Rewriter) -> Tensor:
        """``rest / root``; a product where the inverse is read: the vendor's optimiser fails on both side by side."""
        if not is_read(match.node, 2):
            return rw.op("Div", rest, root)
        inverse = rw.op("Reciprocal", root)
        rw.replace_value(match.node.outputs[2], inverse)
        return rw.op("Mul", rest, inverse)


class RMSNormalization(Substitution[Normalised]):
    """``RMSNormalization(x) -> x / Sqrt(ReduceMean(x^2) + epsilon) * gain``, its definition."""

    name, roots = "rms-normalization", frozenset({"RMSNormalization"})

    def match(self, node: Node, ctx: Context) -> Normalised:
        """A float operand of known rank."""
        return _layer(node)

    def build(self, match: Normalised, rw: Rewriter) -> Tensor:
        """Six nodes, and two Casts around them for float16."""
        x = _widened(rw, match.x)
        unit = rw.op("Div", x, _deviation(rw, x, match))
        return _scaled(rw, _narrowed(rw, unit, match.x), match)
