"""Concat of strided slices of one tensor, as the stem of YOLOv5 and YOLOX rearranges blocks of pixels into channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.linear.parts import static
from passes.linear.window import Axis, Window
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Mismatch, need


@dataclass(frozen=True)
class Comb:
    """Every ``strides``-th element of ``source`` from ``starts`` on, along each spatial axis."""

    source: Tensor
    starts: tuple[int, ...]
    strides: tuple[int, ...]


def focused(node: Node) -> tuple[Window, Tensor]:
    """The Concat ``node`` as a linear map and of what; raises Mismatch when it is none of slices along channels."""
    if ops.axis(node, 0) != 1:
        raise Mismatch(f"{node.name!r} does not join along the channels", node)
    combs = [_comb(tensor, node) for tensor in node.inputs]
    source, strides = combs[0].source, combs[0].strides
    if any(comb.source is not source or comb.strides != strides for comb in combs):
        raise Mismatch(f"{node.name!r} joins slices of several tensors or strides, they must be of one", node)
    if set(strides) == {1}:
        raise Mismatch(f"{node.name!r} joins no strided slices", node)
    channels = static(source, node)[0]
    taps = [max(comb.starts[i] for comb in combs) + 1 for i in range(len(strides))]
    weight = np.zeros((len(combs), channels, channels, *taps))
    for block, comb in zip(weight, combs, strict=True):
        block[(range(channels), range(channels), *comb.starts)] = 1.0
    axes = tuple(Axis(0, 1, stride) for stride in strides)
    return Window(weight.reshape(-1, channels, *taps), np.zeros(len(combs) * channels), 1, axes), source


def _comb(tensor: Tensor, node: Node) -> Comb:
    """What is left of a chain of slices; every other tensor is the whole of itself."""
    rank = need.rank(tensor, node, 3, 4, 5) - 2
    sliced = tensor.producer
    if sliced is None or sliced.op != "Slice" or not sliced.is_onnx or sliced.graph is not node.graph:
        return Comb(tensor, (0,) * rank, (1,) * rank)
    inner = _comb(sliced.inputs[0], node)
    cut = list(zip(*_cut(sliced, node), strict=True))
    starts, strides = list(inner.starts), list(inner.strides)
    sizes, results = (static(t, node) for t in (sliced.inputs[0], tensor))
    for axis, start, step in cut:
        if axis < 2 or step < 1:
            raise Mismatch(f"{sliced.name!r} slices axis {axis} by {step}", node)
        first = min(max(start + sizes[axis - 1] if start < 0 else start, 0), sizes[axis - 1])
        if results[axis - 1] != -(-(sizes[axis - 1] - first) // step):
            raise Mismatch(f"{sliced.name!r} ends before what it reads does", node)
        starts[axis - 2] += first * strides[axis - 2]
        strides[axis - 2] *= step
    return Comb(inner.source, tuple(starts), tuple(strides))


def _cut(node: Node, root: Node) -> tuple[list[int], list[int], list[int]]:
    """Axes, starts and steps of a Slice, which must be constant."""
    starts = ops.ints(node, "starts", 1)
    if starts is None:
        raise Mismatch(f"{node.name!r} starts where is computed", root)
    rank = node.inputs[0].rank or 0
    axes = ops.ints(node, "axes", 3) or list(range(len(starts)))
    steps = ops.ints(node, "steps", 4) or [1] * len(starts)
    return [axis + rank if axis < 0 else axis for axis in axes], starts, steps
