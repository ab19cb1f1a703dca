"""Take the batch normalisation into the linear operator beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.linear.numbers import Array, is_finite, widened
from surgery.ir import Node, Value, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need

LINEAR = ("Conv", "ConvTranspose", "Gemm")
BIAS = 2
"""Index of the bias among the inputs of all three."""


@dataclass(frozen=True)
class Affine:
    """``y = factor * x + shift`` per channel, in float64."""

    factor: Array
    shift: Array


def affine(node: Node, opset: int) -> Affine:
    """What a BatchNormalization computes in inference; raises Mismatch when it may do anything else."""
    _inference(node, opset)
    scale, bias, mean, variance = (need.constant(node, i).astype(np.float64) for i in range(1, 5))
    spread = variance + float(node.attrs.get("epsilon", 1e-5))
    if not (spread > 0).all():
        raise Mismatch("variance + epsilon must be positive", node)
    factor = scale / np.sqrt(spread)
    return Affine(factor, bias - mean * factor)


def _inference(node: Node, opset: int) -> None:
    if opset < 7 and not node.attrs.get("is_test", 0):
        raise Mismatch("is_test is 0, it must be 1", node)
    if node.attrs.get("training_mode", 0):
        raise Mismatch("training_mode must be 0", node)
    if not node.attrs.get("spatial", 1):
        raise Mismatch("spatial is 0, it must be 1: one factor per channel", node)
    if any(v.name for v in node.outputs[1:]):
        raise Mismatch("computes statistics, too, which is training mode", node)


@dataclass(frozen=True)
class Fused:
    """The normalisation, the linear operator, and its new weight and bias."""

    norm: Node
    linear: Node
    weight: Array
    bias: Array


class FuseBefore(Rule[Fused]):
    """``BatchNormalization(Conv(x, W, b)) -> Conv(x, W * f, (b - mean) * f + B)`` with ``f = scale / sqrt(var + eps)``.

    Rounding: the products are the same real numbers, rounded once instead of twice. ConvTranspose and Gemm, too.
    """

    name, roots = "fuse-into-previous", frozenset({"BatchNormalization"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Fused | Mismatch:
        """Nothing else may read the linear operator, whose weights have to be constant."""
        linear = need.producer(node, 0, *LINEAR, ctx=ctx)
        _same_graph(linear, node)
        by = affine(node, ctx.opset)
        weight = _weight(linear)
        if len(by.factor) != outputs(linear, weight):
            return Mismatch(f"has {len(by.factor)} channels, {linear.name!r} computes {outputs(linear, weight)}", node)
        bias = _bias(linear, weight)
        return _fused(node, linear, scale_outputs(linear, weight, by.factor), bias * by.factor + by.shift)

    def rewrite(self, match: Fused, rw: Rewriter) -> None:
        """One linear operator under the name of the old one."""
        rw.replace(match.norm, _emit(match, match.linear, rw))


class FuseAfter(Rule[Fused]):
    """``Conv(BatchNormalization(x), W, b) -> Conv(x, W * f, b + W * s)`` with ``s = B - mean * f``.

    Rounding, as before. Only without padding: padded zeros would not pass through the normalisation. Gemm, too.
    """

    name, roots = "fuse-into-next", frozenset({"BatchNormalization"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Fused | Mismatch:
        """A Conv without padding or a Gemm has to be the only reader, with constant weights."""
        linear = need.consumer(node, "Conv", "Gemm", ctx=ctx)
        _same_graph(linear, node)
        if linear.inputs[0] is not node.outputs[0]:
            return Mismatch(f"{linear.name!r} reads it as a weight", node)
        if linear.op == "Conv" and ops.pads(linear) != [0] * len(ops.pads(linear) or [1]):
            return Mismatch(f"{linear.name!r} pads by {ops.pads(linear)}, every pad must be 0", node)
        if linear.attrs.get("transA", 0):
            return Mismatch(f"{linear.name!r} transposes its input", node)
        by = affine(node, ctx.opset)
        weight = _weight(linear)
        if len(by.factor) != inputs(linear, weight):
            return Mismatch(f"has {len(by.factor)} channels, {linear.name!r} reads {inputs(linear, weight)}", node)
        bias = _bias(linear, weight) + respond(linear, weight, by.shift)
        return _fused(node, linear, scale_inputs(linear, weight, by.factor), bias)

    def rewrite(self, match: Fused, rw: Rewriter) -> None:
        """The linear operator reads what the normalisation read."""
        rw.replace(match.linear, _emit(match, match.norm, rw))


def _same_graph(linear: Node, node: Node) -> None:
    if linear.graph is not node.graph:
        raise Mismatch(f"{linear.name!r} is in another graph", node)


def _weight(linear: Node) -> Array:
    need.dtype(need.present(linear, 1), linear, "fV")
    return widened(need.constant(linear, 1))


def _bias(linear: Node, weight: Array) -> Array:
    """One number per output channel: the bias times its factor, zeros without one."""
    count = outputs(linear, weight)
    if linear.input(BIAS) is None:
        return np.zeros(count)
    bias = need.constant(linear, BIAS).astype(np.float64) * float(linear.attrs.get("beta", 1.0))
    if bias.size not in (1, count) or (bias.ndim and bias.shape[-1] != bias.size):
        raise Mismatch(f"the bias of {linear.name!r} has the shape {bias.shape}, it must be one row", linear)
    return np.broadcast_to(bias.reshape(-1), (count,))


def _groups(linear: Node) -> int:
    return int(linear.attrs.get("group", 1))


def outputs(linear: Node, weight: Array) -> int:
    """Number of output channels: of Conv (O, I/g, ...), ConvTranspose (I, O/g, ...), Gemm (I, O) or transposed."""
    if linear.op == "ConvTranspose":
        return int(weight.shape[1]) * _groups(linear)
    return int(weight.shape[0 if linear.op == "Conv" or linear.attrs.get("transB", 0) else 1])


def inputs(linear: Node, weight: Array) -> int:
    """Number of input channels of a Conv or Gemm."""
    if linear.op == "Conv":
        return int(weight.shape[1]) * _groups(linear)
    return int(weight.shape[1 if linear.attrs.get("transB", 0) else 0])


def scale_outputs(linear: Node, weight: Array, factor: Array) -> Array:
    """``weight`` with the part that makes output channel ``i`` times ``factor[i]``."""
    if linear.op == "Gemm":
        return weight * (factor[:, None] if linear.attrs.get("transB", 0) else factor)
    spatial = (1,) * (weight.ndim - 2)
    if linear.op == "Conv":
        return weight * factor.reshape(-1, 1, *spatial)
    groups = _groups(linear)
    parts = weight.reshape(groups, -1, *weight.shape[1:])
    return (parts * factor.reshape(groups, 1, -1, *spatial)).reshape(weight.shape)


def scale_inputs(linear: Node, weight: Array, factor: Array) -> Array:
    """``weight`` of a Conv or Gemm with the part that reads input channel ``i`` times ``factor[i]``."""
    if linear.op == "Gemm":
        return weight * (factor if linear.attrs.get("transB", 0) else factor[:, None])
    groups = _groups(linear)
    parts = weight.reshape(groups, -1, *weight.shape[1:])
    return (parts * factor.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))).reshape(weight.shape)


def respond(linear: Node, weight: Array, level: Array) -> Array:
    """What an unpadded Conv or a Gemm, bias aside, makes of inputs that are ``level[i]`` all over channel ``i``."""
    scaled = scale_inputs(linear, weight, level)
    if linear.op == "Conv":
        return np.asarray(scaled.reshape(len(weight), -1).sum(axis=1))
    return np.asarray(scaled.sum(axis=1 if linear.attrs.get("transB", 0) else 0)) * float(
        linear.attrs.get("alpha", 1.0)
    )


def _fused(norm: Node, linear: Node, weight: Array, bias: Array) -> Fused:
    """The match with weights in the dtype of the operator; Mismatch when they leave its range."""
    dtype = linear.inputs[1].dtype
    with np.errstate(over="ignore"):
        rounded = Fused(norm, linear, weight.astype(dtype), bias.astype(dtype))
    if not (is_finite(rounded.weight) and is_finite(rounded.bias)):
        raise Mismatch(f"the fused weights are beyond the range of {dtype}", norm)
    return rounded


def _emit(match: Fused, first: Node, rw: Rewriter) -> Value:
    """The linear operator with its new weights, reading what ``first`` reads."""
    linear = match.linear
    attrs = {name: value for name, value in linear.attrs.items() if name != "beta"}
    names = [t.name for t in linear.inputs[1:]] + [f"{linear.name}/bias"]
    weight, bias = rw.constant(match.weight, name=names[0]), rw.constant(match.bias, name=names[1])
    return rw.op(linear.op, first.inputs[0], weight, bias, heir=linear, **attrs)
