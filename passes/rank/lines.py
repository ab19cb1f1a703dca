"""Values NxCxL held as NxCx1xL: one-dimensional convolutions and poolings as two-dimensional ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from passes.rank.region import Array, Layout, Lift, Lifted, Writer
from passes.rank.site import FORMS
from passes.rank.writers import ELEMENTWISE
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.rewrite import Mismatch, Rewriter, build, need

AXIS = 2
"""The axis of size 1 that is put in."""
WINDOWED = ("kernel_shape", "strides", "dilations")
"""Attributes with one number per spatial axis, 1 for one of size 1."""


class Line(Layout):
    """NxCxL as NxCx1xL; no size has to be known."""

    rank = 3

    def holds(self, tensor: Tensor, node: Node) -> None:
        """Anything of rank 3."""

    def up(self, rw: Rewriter, value: Tensor) -> Tensor:
        """With the axis, or what it was taken from."""
        maker, shape = value.producer, ops.static_shape(value)
        if maker is None or maker.op not in FORMS:
            return build.unsqueeze(rw, value, [AXIS])
        source = maker.inputs[0]
        wanted = None if shape is None else (*shape[:AXIS], 1, *shape[AXIS:])
        if source.shape == wanted or (maker.op == "Squeeze" and ops.axes(maker) == [AXIS]):
            return source
        return build.unsqueeze(rw, value, [AXIS]) if wanted is None else build.reshape(rw, source, wanted)

    def down(self, rw: Rewriter, value: Tensor, like: Value) -> Tensor:
        """Without the axis."""
        return build.squeeze(rw, value, [AXIS])

    def reshaped(self, rw: Rewriter, reader: Node, value: Tensor) -> Tensor | None:
        """``value`` itself where the reader puts the axis in, else one Reshape."""
        wanted = ops.static_shape(reader.outputs[0])
        if value.shape == wanted or (reader.op == "Unsqueeze" and ops.axes(reader) == [AXIS]):
            return value
        return None if wanted is None else build.reshape(rw, value, wanted)

    def array(self, array: Array, like: Tensor) -> Array:
        """With the axis, and ones in front up to rank 4."""
        spread = np.expand_dims(array, -2) if array.ndim > 1 else array
        return spread.reshape((1,) * (4 - spread.ndim) + spread.shape)


def _attributes(node: Node) -> dict[str, Any]:
    """The attributes of a window along L, as of one along the last of two axes."""
    attrs = dict(node.attrs)
    for name in WINDOWED:
        if name in attrs:
            attrs[name] = [1, *attrs[name]]
    for name in ("output_padding", "output_shape"):
        if name in attrs:
            attrs[name] = [int(name == "output_shape"), *attrs[name]]
    if "pads" in attrs:
        begin, end = attrs["pads"]
        attrs["pads"] = [0, begin, 0, end]
    return attrs


def _windowed(node: Node) -> None:
    """One result; the weights, where there are any, are constant."""
    if len([v for v in node.outputs if v.name]) > 1:
        raise Mismatch(f"{node.op} gives indices, too, only the values may be read", node)
    if len(node.inputs) > 1:
        need.constant(node, 1)


def _convolved(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    weight = lifted.rw.constant(np.expand_dims(need.constant(node, 1), AXIS), name=f"{node.inputs[1].name}/rank4")
    attrs = {"kernel_shape": list(weight.shape[2:]), **_attributes(node)}
    return [lifted.rw.op(node.op, lifted.get(node.inputs[0]), weight, *node.inputs[2:], heir=node, **attrs)]


def _pooled(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    return [lifted.rw.op(node.op, lifted.get(node.inputs[0]), **_attributes(node))]


def _channelwise(node: Node) -> None:
    """Parameters per channel are constants."""
    for index in range(1, len(node.inputs)):
        need.constant(node, index)


def _same(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    return [lifted.rw.op(node.op, lifted.get(node.inputs[0]), *node.inputs[1:], **node.attrs)]


def _along(axis: int) -> int:
    """Where an axis of NxCxL is in NxCx1xL."""
    return axis + (axis >= AXIS)


def _any(node: Node) -> None:
    """Nothing more is asked."""


def _joined(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    parts = [
        lifted.rw.constant(np.expand_dims(t.values, AXIS)) if isinstance(t, Constant) else lifted.get(t)
        for t in node.inputs
    ]
    return [lifted.rw.op("Concat", *parts, axis=_along(ops.axis(node, 1)))]


def _padding(node: Node) -> None:
    """Pads that are known."""
    if node.input(3) is not None or ops.pads(node) is None:
        raise Mismatch("the pads of every axis must be constant", node)


def _padded(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    pads = ops.pads(node) or []
    wide = [*pads[:AXIS], 0, *pads[AXIS : 3 + AXIS], 0, *pads[3 + AXIS :]]
    x = lifted.get(node.inputs[0])
    if "pads" in node.attrs:
        return [lifted.rw.op("Pad", x, **{**node.attrs, "pads": wide})]
    return [lifted.rw.op("Pad", x, lifted.rw.ints(wide), node.input(2), **node.attrs)]


def _bounds(node: Node) -> None:
    """Bounds that are known."""
    for index in range(1, len(node.inputs)):
        if node.input(index) is not None:
            need.constant(node, index)


def _sliced(node: Node, lifted: Lifted) -> Sequence[Tensor]:
    """The same bounds; axes are stated where they were not."""
    starts = ops.ints(node, "starts", 1) or []
    axes = [_along(axis) for axis in ops.axes(node) or range(len(starts))]
    x = lifted.get(node.inputs[0])
    if "starts" in node.attrs:
        return [lifted.rw.op("Slice", x, **{**node.attrs, "axes": axes})]
    return [lifted.rw.op("Slice", x, *node.inputs[1:3], lifted.rw.ints(axes), node.input(4))]


Line.writers = {
    **ELEMENTWISE,
    **dict.fromkeys(("Conv", "ConvTranspose"), Writer(_windowed, _convolved)),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), Writer(_windowed, _pooled)),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), Writer(_any, _same)),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), Writer(_channelwise, _same)),
    "Concat": Writer(_any, _joined),
    "Pad": Writer(_padding, _padded),
    "Slice": Writer(_bounds, _sliced),
}


class LiftLines(Lift):
    """A network of NxCxL ``->`` one of NxCx1xL, with Unsqueeze and Squeeze at its ends: Conv1d becomes Conv2d.

    Elementwise operators, normalisations, poolings, Concat, Pad and Slice that are connected with the convolution come
    along. Rounding: a kernel may add up in another order.
    """

    name = "lift-lines"
    roots = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "InstanceNormalization"})
    cures = frozenset(f"{op}.{limit}" for op in roots for limit in ("rank", "ranks"))
    layout = Line()
