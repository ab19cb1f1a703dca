"""How much work a node is: multiply-accumulates after alignment, bytes of int8, traffic with memory."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from surgery.cost import packing
from surgery.cost.grid import grid
from surgery.cost.links import feeder, filters, is_weight
from surgery.ir.graph import Node, Tensor
from surgery.ir.ops import static_shape

if TYPE_CHECKING:
    from surgery.cost.coefficients import Alignment


class NotStatic(Exception):
    """The work depends on a dim that is not known; the message names it."""


class Side(NamedTuple):
    """One size of a layer on the dense engine, and the multiple it is rounded up to."""

    what: str
    size: int
    step: int

    @property
    def aligned(self) -> int:
        """The size as the engine works on it.

        >>> Side("width", 20, 16).aligned
        32
        """
        return up(self.size, self.step)


def elements(tensor: Tensor) -> int:
    """Number of elements; NotStatic, naming the dim, when a dim is symbolic or the rank unknown."""
    return prod(dims(tensor))


def dims(tensor: Tensor) -> tuple[int, ...]:
    """The shape; NotStatic, naming the dim, when one is symbolic."""
    shape = static_shape(tensor)
    if shape is not None:
        return shape
    if tensor.shape is None:
        raise NotStatic(f"the shape of {tensor.name!r} is not known")
    axis, size = next((axis, size) for axis, size in enumerate(tensor.shape) if not isinstance(size, int))
    raise NotStatic(f"{f'dim {size!r}' if size else f'dim {axis}'} of {tensor.name!r} is symbolic")


def padded(tensor: Tensor, align: Alignment) -> int:
    """Elements as the chip holds them: of a feature map channels, height and width rounded up, else as they are."""
    shape = dims(tensor)
    if len(shape) != 4:
        return prod(shape)
    return shape[0] * up(shape[1], align.map_channels) * prod(places(tensor, align))


def places(tensor: Tensor, align: Alignment) -> tuple[int, ...]:
    """Height and width of a feature map as the chip holds it; of other ranks what comes behind the channels."""
    shape = dims(tensor)[2:]
    if len(shape) != 2:
        return shape
    return up(shape[0], align.map_height), up(shape[1], align.map_width)


def up(size: int, step: int) -> int:
    """The next multiple.

    >>> up(20, 16)
    32
    """
    return -(-size // step) * step


def slices(node: Node) -> int:
    """Batch slices of a MatMul: the product of the output's dims but the last two."""
    return elements(node.outputs[0]) // max(1, prod(dims(node.outputs[0])[-2:]))


def product(node: Node, align: Alignment) -> int:
    """Multiply-accumulates of a product of two computed matrices, its sides rounded up."""
    rows, columns = (1, 1, *dims(node.outputs[0]))[-2:]
    inner = dims(node.inputs[0])[-1]
    read, written = align.channels(point=True)
    return slices(node) * up(rows, align.width) * up(inner, read) * up(columns, written)


class Weights(NamedTuple):
    """Bytes of the weights of a node as int8, output channels rounded up: as they are, and as they are loaded."""

    stored: int
    loaded: int


def weight_bytes(node: Node, align: Alignment) -> Weights:
    """The weights of a node, which some marches pack; those of a depthwise convolution stay as they are."""
    if node.op not in _WEIGHTED:
        return _NONE
    operands = [t for t in ([filters(node)] if node.op in _CONVOLUTIONS else node.inputs[:2]) if is_weight(t)]
    sizes = [_stored(node, t, align) for t in operands]
    if not align.packed or (node.op == "Conv" and dims(filters(node))[1] == 1):
        return Weights(sum(sizes), sum(sizes))
    packed = (round(size * packing.share(node, t)) for size, t in zip(sizes, operands, strict=True))
    return Weights(sum(sizes), sum(packed))


def _stored(node: Node, weight: Tensor, align: Alignment) -> int:
    size = _widened(weight, align) if node.op == "Conv" else elements(weight)
    columns = dims(weight)[0] if node.op == "Conv" else _columns(node, weight) if node.op in ("Gemm", "MatMul") else 1
    return size // max(1, columns) * up(columns, align.map_channels)


def _widened(weight: Tensor, align: Alignment) -> int:
    """Elements of a convolution's weight, its input channels rounded up but where they are an image's or alone."""
    inner = dims(weight)[1]
    return elements(weight) if inner <= _IMAGE else elements(weight) // inner * up(inner, align.weight_channels)


def is_stem(node: Node) -> bool:
    """Whether a convolution reads an image: a graph input of few channels."""
    return feeder(node.inputs[0], alone=False) is None and dims(node.inputs[0])[1] <= _IMAGE


_NONE = Weights(0, 0)
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "ConvInteger", "QLinearConv"})
_WEIGHTED = _CONVOLUTIONS | {"Gemm", "MatMul"}
_IMAGE = 4


def dense(node: Node, align: Alignment) -> tuple[int, tuple[Side, ...]]:
    """Multiply-accumulates of a layer on the dense engine: what is not rounded, and the sides that are."""
    if node.op in ("Gemm", "MatMul"):
        return _matrix(node, align)
    return _convolution(node, align)


def _matrix(node: Node, align: Alignment) -> tuple[int, tuple[Side, ...]]:
    weight = next(t for t in reversed(node.inputs[:2]) if is_weight(t))
    columns = _columns(node, weight)
    inner = elements(weight) // max(1, columns)
    if len(dims(weight)) > 2:
        inner = dims(node.inputs[0])[-1]
    read, written = align.channels(point=True)
    maps, height, width = grid(node)
    rest, area = _area((maps, columns, height, width), align)
    return maps * rest, (Side("input features", inner, read), Side("output features", columns, written), *area)


def _columns(node: Node, weight: Tensor) -> int:
    """Output features: the size of the weight that is not summed over, 1 for a vector."""
    shape, right = dims(weight), weight is node.inputs[1]
    turned = bool(node.attrs.get("transB" if right else "transA", 0))
    if len(shape) < 2:
        return 1
    return shape[-1] if right != turned else shape[-2]


def _convolution(node: Node, align: Alignment) -> tuple[int, tuple[Side, ...]]:
    weight, group = dims(filters(node)), int(node.attrs.get("group", 1))
    shape = dims(node.inputs[0] if node.op == "ConvTranspose" else node.outputs[0])
    first, second = weight[0], weight[1]
    inputs, outputs = (first // group, second) if node.op == "ConvTranspose" else (second, first // group)
    read, written = align.channels(point=prod(weight[2:]) == 1)
    step = align.stem_in_channels if feeder(node.inputs[0], alone=False) is None else read
    together = joined(group, inputs, outputs, step, written) if prod(weight[2:]) > 1 else 1
    each = "" if group == 1 else " per group" if together == 1 else f" of {together} groups"
    channels = (
        Side(f"input channels{each}", together * inputs, step),
        Side(f"output channels{each}", together * outputs, written),
    )
    rest, area = _area(shape if node.op == "ConvTranspose" else (*shape[:2], *_worked(node)), align)
    taps = weight[2:] if node.op == "ConvTranspose" else _kernel(node, weight[2:], align)
    return shape[0] * (group // together) * rest * prod(taps), (*channels, *area)


def _kernel(node: Node, sides: tuple[int, ...], align: Alignment) -> tuple[int, ...]:
    """The sides of a convolution's kernel as the engine has them, zeros beside it."""
    if align.odd_kernel:
        return tuple(side | 1 for side in sides)
    strided = all(s > 1 for s in node.attrs.get("strides", (1,)))
    least = align.strided_kernel if strided and len(sides) == 2 and sides[-1] > 1 else 1
    return tuple(max(side, least) for side in sides)


def _worked(node: Node) -> tuple[int, ...]:
    """The places that a convolution is worked out at: the engine knows strides of 1 and 2 and drops what is between.

    A stride of 4 is one of 2 of which every second place is kept, one of 3 one of 1 (seen in the sizes of compiled
    layers, of which the three marches have the same: 111 places for the 56 of a 4x4 kernel over 224).
    """
    sides = dims(node.outputs[0])[2:]
    strides = tuple(node.attrs.get("strides", ())) or (1,) * len(sides)
    return tuple((n - 1) * (s if s % 2 else s // 2) + 1 if s > 2 else n for n, s in zip(sides, strides, strict=True))


def joined(group: int, inputs: int, outputs: int, read: int, written: int) -> int:
    """How many groups the compiler joins into one, with zeros between them, to fill what the engine rounds up.

    As seen at O2 with kernels of more than one place (data/efficiency): the narrower groups of a layer, down to two
    channels, take as long as those that fill the engine. Groups whose channels do not fill it evenly stay apart.

    Args:
        group: how many groups there are.
        inputs: channels that each reads.
        outputs: channels that each makes.
        read: what the engine rounds input channels up to.
        written: what it rounds output channels up to.

    >>> joined(32, 4, 4, 8, 16), joined(2, 64, 64, 8, 16)
    (2, 1)
    """
    fitting = [1, *(n for n in range(2, group + 1) if group % n == 0 and n * inputs == read)]
    return min(fitting, key=lambda n: up(n * inputs, read) * up(n * outputs, written) / n)


def _area(shape: tuple[int, ...], align: Alignment) -> tuple[int, tuple[Side, ...]]:
    """The positions of a convolution: its height is rounded where it has one, its width always."""
    width = Side("width", shape[-1], align.width)
    if prod(shape[2:]) == 1:
        return _alone(align), ()
    if len(shape) < 4:
        return prod(shape[2:-1]), (width,)
    return prod(shape[2:-2]), (Side("height", shape[-2], align.height), width)


def _alone(align: Alignment) -> int:
    """Places that the engine works on for a single one."""
    return align.single or align.height * align.width
