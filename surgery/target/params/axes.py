"""Parameters about axes, and plain attributes."""

from __future__ import annotations

from math import prod

from surgery.ir.graph import Constant
from surgery.target.params.core import Params, Unknown, around, first_input, first_output, ints_of, param, size_of
from surgery.target.shapes import Dims, aligned

_AXIS_DEFAULT = {"Flatten": 1, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "TopK": -1, "LayerNormalization": -1}


@param
def axis(p: Params) -> int:
    """The ``axis`` attribute, counted from the front."""
    before_13 = p.opset < 13 and p.node.op in ("Softmax", "LogSoftmax", "Hardmax")
    value = int(p.attr("axis", 1 if before_13 else _AXIS_DEFAULT.get(p.node.op, 0)))
    return value + p["rank"] if value < 0 else value


@param
def perm(p: Params) -> Dims:
    """Order of the axes after a Transpose; reversed where none is given."""
    return tuple(p.attr("perm") or range(p["rank"])[::-1])


@around
def axes(p: Params) -> Dims:
    """Axes of a reduction in the order given, counted from the front; all of them when none are given."""
    given = p.attr("axes")
    if given is None and p.node.input(1) is not None:
        given = ints_of(p.node.input(1), "axes")
    if not given:
        return tuple(range(p["rank"])) if not p.attr("noop_with_empty_axes", 0) else ()
    return tuple(a + p["rank"] if a < 0 else a for a in given)


@around
def steps(p: Params) -> Dims:
    """Steps of a Slice; 1 each where none are given."""
    given = p.node.input(4) if p.opset > 9 else None
    return (1,) if given is None or given.is_empty() else ints_of(given, "steps")


@param
def keepdims(p: Params) -> int:
    """Whether a reduction keeps its axes with size 1."""
    return int(p.attr("keepdims", 1))


@param
def axis_size(p: Params) -> int:
    """Size of the first input along ``axis``."""
    return size_of(first_input(p), p["axis"])


@param
def reduced_sizes(p: Params) -> Dims:
    """Sizes of the reduced axes (of ``axis`` alone for ArgMax and ArgMin)."""
    names = (p["axis"],) if p.node.op in ("ArgMax", "ArgMin") else p["axes"]
    return tuple(size_of(first_input(p), a) for a in names)


@param
def reduced_axis_size(p: Params) -> int:
    """Size of the largest reduced axis."""
    return max(p["reduced_sizes"], default=1)


@param
def reduced_size(p: Params) -> int:
    """Product of the reduced axes."""
    return prod(p["reduced_sizes"])


@param
def softmax_flattens(p: Params) -> bool:
    """Whether Softmax flattens the dims from ``axis`` on (before opset 13)."""
    return p.opset < 13


@param
def split_sizes(p: Params) -> Dims:
    """Sizes of the pieces of a Split."""
    return tuple(size_of(out, p["axis"]) for out in p.node.outputs)


@param
def changed_axes(p: Params) -> Dims:
    """Axes, counted from the front of the output, along which the output's size is not the input's."""
    before, after = aligned([p["dims"], p["output_dims"]])
    return tuple(i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)


@param
def changed_dims(p: Params) -> int:
    """How many dims Expand, Tile or Resize changes."""
    return len(p["changed_axes"])


@around
def pad_amounts(p: Params) -> Dims:
    """What a Pad adds: at the begin of every axis, then at the ends."""
    return tuple(p.attr("pads") or ints_of(p.node.input(1), "pads"))


@around
def pad_value(p: Params) -> float:
    """What a Pad of mode constant fills with."""
    given = p.node.input(2)
    if given is None:
        return float(p.attr("value", 0.0))
    if not isinstance(given, Constant):
        raise Unknown("the pad value is not a constant")
    return float(given.values.reshape(-1)[0])


@param
def padded_axes(p: Params) -> Dims:
    """Axes that a Pad changes."""
    flat = p["pad_amounts"]
    half = len(flat) // 2
    return tuple(i for i in range(half) if flat[i] or flat[i + half])


_MODE = {
    "DepthToSpace": "DCR",
    "GridSample": "linear",
    "Pad": "constant",
    "Resize": "nearest",
    "SpaceToDepth": "DCR",
    "Upsample": "nearest",
}


@param
def mode(p: Params) -> str:
    """The ``mode`` attribute; GridSample's ``linear`` is called ``bilinear`` as before opset 20."""
    value = str(p.attr("mode", _MODE.get(p.node.op, "")))
    return "bilinear" if p.node.op == "GridSample" and value == "linear" else value


@param
def blocksize(p: Params) -> int:
    """Block of DepthToSpace and SpaceToDepth."""
    return int(p.attr("blocksize", 1))


@param
def padding_mode(p: Params) -> str:
    """How GridSample reads outside the image."""
    return str(p.attr("padding_mode", "zeros"))


@param
def coordinate_transformation_mode(p: Params) -> str:
    """How Resize maps output to input positions; ``asymmetric`` before opset 11."""
    return str(p.attr("coordinate_transformation_mode", "half_pixel" if p.opset > 10 else "asymmetric"))


@param
def roi_constant(p: Params) -> bool:
    """Whether the region that a Resize crops is a constant, or not given."""
    region = p.node.input(1) if p.node.op == "Resize" and p.opset > 10 else None
    return region is None or isinstance(region, Constant)


@param
def is_sorted(p: Params) -> int:
    """Whether TopK sorts its result."""
    return int(p.attr("sorted", 1))


@param
def scale_h(p: Params) -> float:
    """Height of the output over the input's."""
    return size_of(first_output(p), -2) / int(p["H"])


@param
def scale_w(p: Params) -> float:
    """Width of the output over the input's."""
    return size_of(first_output(p), -1) / int(p["W"])
