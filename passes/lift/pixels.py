"""What becomes of the pixels of an image on their way to the network: which channel, times what, plus what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import onnx

from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Mismatch


@dataclass(frozen=True)
class Channel:
    """``scale * image[source] + shift``."""

    source: int
    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class Pixels:
    """A tensor that holds an image, each of its channels one of the image's, scaled and shifted.

    Attributes:
        channels: in the order of the tensor.
        order: by axis of the tensor, the axis of the image; that of the channels is left out of a single one.
        axis: of the image, that holds its channels.
        dtype: of the elements.
    """

    channels: tuple[Channel, ...]
    order: tuple[int, ...]
    axis: int
    dtype: np.dtype[Any]

    @property
    def at(self) -> int | None:
        """The axis of the tensor that holds channels; None where there is one channel, and no axis for it."""
        return self.order.index(self.axis) if self.axis in self.order else None


Known = Mapping[Tensor, Pixels]
Reader = Callable[[Node, Known], "Sequence[Pixels]"]


def read(node: Node, known: Known) -> Sequence[Pixels] | None:
    """The pixels that ``node`` makes of those that are ``known``, by output; None where it is no step of this kind.

    Raises:
        Mismatch: it is one, and what it does is nothing that the toolchain does to an image.
    """
    reader = READERS.get(node.op) if node.is_onnx else None
    if reader is None or (node.op == "Conv" and not _mixes_pixels(node)):
        return None
    return reader(node, known)


def _no(node: Node, reason: str) -> NoReturn:
    raise Mismatch(f"{node.op} {node.name!r} {reason}", node)


def _image(node: Node, known: Known, index: int = 0) -> Pixels:
    found = known.get(node.inputs[index])
    if found is None:
        _no(node, f"reads {node.inputs[index].name!r}, it must read the image alone")
    return found


def _same(node: Node, known: Known) -> list[Pixels]:
    return [_image(node, known)]


def _cast(node: Node, known: Known) -> list[Pixels]:
    to = onnx.helper.tensor_dtype_to_np_dtype(node.attrs["to"])
    if to != np.float32:
        _no(node, f"makes {to}, the network must be fed float32")
    return [replace(_image(node, known), dtype=to)]


def _transpose(node: Node, known: Known) -> list[Pixels]:
    image = _image(node, known)
    perm = node.attrs.get("perm") or list(reversed(range(len(image.order))))
    return [replace(image, order=tuple(image.order[axis] for axis in perm))]


def _need_channels(node: Node, image: Pixels, axis: int) -> None:
    if image.at is None or axis % len(image.order) != image.at:
        _no(node, f"goes along axis {axis}, it must take channels apart or together")


def _gather(node: Node, known: Known) -> list[Pixels]:
    image, indices = _image(node, known), ops.constant(node.inputs[1])
    _need_channels(node, image, int(node.attrs.get("axis", 0)))
    if indices is None or indices.ndim > 1:
        _no(node, "takes channels that are computed, they must be constant")
    taken = tuple(image.channels[int(index)] for index in indices.reshape(-1))
    order = image.order if indices.ndim else tuple(axis for axis in image.order if axis != image.axis)
    return [replace(image, channels=taken, order=order)]


def _slice(node: Node, known: Known) -> list[Pixels]:
    image = _image(node, known)
    starts, ends = ops.ints(node, "starts", 1), ops.ints(node, "ends", 2)
    axes, steps = ops.axes(node), ops.ints(node, "steps", 4) or [1]
    if starts is None or ends is None or axes is None or len(axes) != 1:
        _no(node, "takes a window, it must take channels by constants")
    _need_channels(node, image, axes[0])
    return [replace(image, channels=image.channels[starts[0] : ends[0] : steps[0]])]


def _split(node: Node, known: Known) -> list[Pixels]:
    image, count = _image(node, known), len(node.outputs)
    _need_channels(node, image, int(node.attrs.get("axis", 0)))
    sizes = ops.ints(node, "split", 1) or [len(image.channels) // count] * count
    ends = np.cumsum(sizes)
    return [replace(image, channels=image.channels[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def _concat(node: Node, known: Known) -> list[Pixels]:
    parts = [_image(node, known, index) for index in range(len(node.inputs))]
    _need_channels(node, parts[0], int(node.attrs["axis"]))
    if any((part.order, part.dtype) != (parts[0].order, parts[0].dtype) for part in parts):
        _no(node, "joins channels of several layouts, they must have one")
    return [replace(parts[0], channels=tuple(channel for part in parts for channel in part.channels))]


def _unsqueeze(node: Node, known: Known) -> list[Pixels]:
    image, axes = _image(node, known), ops.axes(node)
    if image.at is not None or axes is None or len(axes) != 1:
        _no(node, "adds an axis, it must give back that of the channels")
    return [replace(image, order=(*image.order[: axes[0]], image.axis, *image.order[axes[0] :]))]


def _need_float(node: Node, image: Pixels) -> None:
    if image.dtype != np.float32:
        _no(node, f"computes in {image.dtype}, it must compute in float32")


def _per_channel(node: Node, image: Pixels, array: np.ndarray[Any, Any] | None) -> list[float]:
    """The value of a constant for each channel."""
    if array is None:
        _no(node, "takes a value that is computed, it must be constant")
    count, rank = len(image.channels), len(image.order)
    shape = (1,) * (rank - array.ndim) + array.shape
    wanted = tuple(count if axis == image.at else 1 for axis in range(rank))
    if array.size != 1 and shape != wanted:
        _no(node, f"takes a constant of {'x'.join(map(str, array.shape))}, it must be one number, or one per channel")
    if not np.isfinite(array).all():
        _no(node, "takes a constant that is not finite")
    return [float(value) for value in np.broadcast_to(array.reshape(-1), count)]


def _affine(image: Pixels, scales: Sequence[float], shifts: Sequence[float]) -> list[Pixels]:
    steps = zip(image.channels, scales, shifts, strict=True)
    channels = tuple(Channel(c.source, a * c.scale, a * c.shift + b) for c, a, b in steps)
    return [replace(image, channels=channels)]


def _arithmetic(node: Node, known: Known) -> list[Pixels]:
    first = node.inputs[0] in known
    image, other = _image(node, known, 0 if first else 1), node.inputs[1 if first else 0]
    _need_float(node, image)
    values = _per_channel(node, image, ops.constant(other))
    nothing, same = [0.0] * len(values), [1.0] * len(values)
    if node.op == "Mul":
        return _affine(image, values, nothing)
    if node.op == "Div":
        if not first or not all(values):
            _no(node, "divides by the image, or by 0: it must divide the image")
        return _affine(image, [1 / value for value in values], nothing)
    if node.op == "Sub" and not first:
        return _affine(image, [-1.0] * len(values), values)
    return _affine(image, same, [-value for value in values] if node.op == "Sub" else values)


def _batchnorm(node: Node, known: Known) -> list[Pixels]:
    image = _image(node, known)
    _need_float(node, image)
    if image.at != 1 or len(node.outputs) > 1 or node.attrs.get("training_mode"):
        _no(node, "does not work by the statistics it holds, over channels at axis 1")
    parts = [ops.constant(tensor) for tensor in node.inputs[1:]]
    if any(part is None for part in parts):
        _no(node, "takes a value that is computed, it must be constant")
    gain, bias, mean, variance = (np.asarray(part, np.float64) for part in parts)
    scale = gain / np.sqrt(variance + node.attrs.get("epsilon", 1e-5))
    return _affine(image, scale.tolist(), (bias - mean * scale).tolist())


def _mixes_pixels(node: Node) -> bool:
    """Whether a convolution makes as many channels of as few as an image has, of one pixel each."""
    weight, attrs = node.inputs[1], node.attrs
    if not isinstance(weight, Constant) or len(weight.shape) != len("OIHW"):
        return False
    plain = weight.shape[0] == weight.shape[1] and tuple(weight.shape[2:]) == (1, 1) and attrs.get("group", 1) == 1
    return plain and not any(attrs.get("pads") or ()) and all(step == 1 for step in attrs.get("strides") or ())


def _conv(node: Node, known: Known) -> list[Pixels]:
    image, weight = _image(node, known), ops.constant(node.inputs[1])
    _need_float(node, image)
    if image.at != 1 or weight is None or weight.shape[1] != len(image.channels):
        _no(node, "does not go over channels at axis 1")
    rows = weight[:, :, 0, 0].astype(np.float64)
    if any(np.count_nonzero(row) != 1 for row in rows):
        _no(node, "mixes channels, each must come from one")
    bias = ops.constant(node.input(2)) if node.input(2) is not None else np.zeros(len(rows))
    taken = [int(np.flatnonzero(row)[0]) for row in rows]
    scales, shifts = [row[source] for row, source in zip(rows, taken, strict=True)], _per_row(node, bias)
    moved = replace(image, channels=tuple(image.channels[source] for source in taken))
    return _affine(moved, [float(scale) for scale in scales], shifts)


def _per_row(node: Node, bias: np.ndarray[Any, Any] | None) -> list[float]:
    if bias is None:
        _no(node, "takes a value that is computed, it must be constant")
    return [float(value) for value in bias]


READERS: Mapping[str, Reader] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    "BatchNormalization": _batchnorm,
    "Cast": _cast,
    "Concat": _concat,
    "Conv": _conv,
    "Gather": _gather,
    "Identity": _same,
    "Slice": _slice,
    "Split": _split,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""By operator: what it makes of an image."""
