"""Enlargements by a convolution that computes every phase of the result as channels, which DepthToSpace puts in place.

Along an axis enlarged s times the result at ``s * q + r`` (phase r) is a sum of the inputs around q, with weights that
depend on r alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np

from passes.substitute.base import Substitution, floats, text
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

Array = np.ndarray[Any, np.dtype[Any]]
LARGEST = 16 << 20
"""Most bytes of the weights of all phases."""
REACH = 2
"""Pixels to either side that a cubic interpolation reads, as seen from the one that is enlarged."""


@dataclass(frozen=True)
class Phases:
    """What a convolution gives: ``weight`` is channels x phases x phases x inputs of a group x taps x taps."""

    node: Node
    x: Tensor
    weight: Array
    bias: Array | None = None
    group: int = 1
    pads: tuple[int, ...] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    size: tuple[int, int] | None = None
    """Height and width of the result, where whole phases are more."""


def enlarged(rw: Rewriter, x: Tensor, match: Phases) -> Tensor:
    """One convolution, and a DepthToSpace by 2 for every time that the result is twice as large.

    Its channels are phases of all channels, which the witness finds up to three times as fast as channels of all
    phases; those are what a convolution of groups gives.
    """
    times = match.weight.shape[1].bit_length() - 1
    steps = [(1 + step, 1 + times + step) for step in range(times)]
    outer = [axis for step in (steps if match.group == 1 else reversed(steps)) for axis in step]
    channels = [*outer, 0] if match.group == 1 else [0, *outer]
    parts = match.weight.reshape(match.weight.shape[0], *[2] * (2 * times), *match.weight.shape[3:])
    rest = range(1 + 2 * times, parts.ndim)
    kernels = parts.transpose(*channels, *rest).reshape(-1, *match.weight.shape[3:])
    constants = [rw.constant(kernels, like=x)]
    if match.bias is not None:
        copies = np.tile if match.group == 1 else np.repeat
        constants.append(rw.constant(copies(match.bias, 4**times), like=x))
    value: Tensor = rw.op(
        "Conv",
        x,
        *constants,
        dilations=list(match.dilations),
        group=match.group,
        kernel_shape=list(kernels.shape[2:]),
        pads=list(match.pads),
        strides=list(match.strides),
    )
    mode = None if rw.opset < 11 else "DCR" if match.group == 1 else "CRD"
    for _ in range(times):
        value = rw.op("DepthToSpace", value, blocksize=2, mode=mode)
    return value if match.size is None else build.slice_(rw, value, [2, 3], [0, 0], match.size)


def whole_phases(node: Node, factors: Sequence[int], group: int, opset: int) -> int:
    """The largest of ``factors``, powers of two; groups need an order of phases that DepthToSpace has from opset 11."""
    if any(factor & (factor - 1) for factor in factors):
        raise Mismatch(f"height and width grow by {list(factors)}, powers of two it must be: blocks are 2 x 2", node)
    factor = max(factors)
    if factor > 1 and group > 1 and opset < 11:
        raise Mismatch(f"opset {opset} has DepthToSpace of mode DCR only, groups need CRD", node)
    return factor


@dataclass(frozen=True)
class Axis:
    """One axis of a transposed convolution: sizes before and after, how the kernel lies, and how many phases there are.

    The size after is one of whole phases, which may be more than is wanted. There are as many phases as along the other
    axis, a multiple of the stride: the convolution that computes them goes on by ``phases / stride`` inputs.
    """

    before: int
    after: int
    kernel: int
    stride: int
    dilation: int
    pad: int
    phases: int

    @property
    def by(self) -> int:
        """The stride of the convolution."""
        return self.phases // self.stride

    @property
    def step(self) -> int:
        """How far apart the inputs are that a phase reads."""
        return self.dilation if self.phases == 1 else 1

    @property
    def offsets(self) -> range:
        """Where they lie, seen from the input of the same place."""
        span = (self.kernel - 1) * self.dilation
        return range(-((span - self.pad) // self.stride), (self.phases - 1 + self.pad) // self.stride + 1, self.step)

    @property
    def taps(self) -> Array:
        """Per phase and offset the index into the kernel; the size of the kernel where there is none."""
        away = np.arange(self.phases)[:, None] + self.pad - self.stride * np.array(self.offsets)
        inside = (away >= 0) & (away <= (self.kernel - 1) * self.dilation) & (away % self.dilation == 0)
        return np.where(inside, away // self.dilation, self.kernel)

    @property
    def pads(self) -> tuple[int, int]:
        """The zeros before and behind that the convolution needs."""
        begin, reach = -self.offsets[0], self.offsets[-1] - self.offsets[0]
        return begin, (self.after // self.phases - 1) * self.by + 1 - self.before - begin + reach


class ConvTransposeAsConv(Substitution[Phases]):
    """``ConvTranspose(x, W) -> DepthToSpace(Conv(x, W of every phase))``, of stride 1 a convolution alone.

    The witness at O2, 16 channels of 14x14: kernel 16 and stride 8 stay on the CPU of bayes-e (113 us of BPU time
    around it), as phases 697 us in one segment; on bernoulli2 444 and 497. Of stride 1 on bernoulli2: 79 and 65.
    Strides of 1 and 4 become 4 x 4 phases, by a convolution of strides 4 and 1.
    """

    name, roots = "conv-transpose-as-conv", frozenset({"ConvTranspose"})
    limits = (
        *("kernel_h", "kernel_w", "kernel", "stride", "stride_order", "dilation", "pad", "pad_h", "pad_w"),
        *("output_padding", "phase_kernel_volume"),
    )

    def match(self, node: Node, ctx: Context) -> Phases:
        """Known sizes, strides of powers of two, pads within the kernel."""
        x, weight = floats(node), need.constant(node, 1)
        need.rank(x, node, 4)
        bias = None if node.input(2) is None else need.constant(node, 2)
        group, inputs = int(ops.attr(node, "group", 1)), weight.shape[0]
        factor = whole_phases(node, ops.spatial(node, "strides", 2), group, ctx.opset)
        axes = _axes(node, need.static(x, node), weight.shape[2:], factor)
        for axis in axes:
            if min(axis.pads) < 0:
                raise Mismatch(f"the pads of a kernel of {axis.kernel} come to {axis.pads}, none may be negative", node)
        size = weight.itemsize * weight.shape[1] * inputs * factor**2 * len(axes[0].offsets) * len(axes[1].offsets)
        if size > LARGEST:
            raise Mismatch(f"the weights of all phases take {size} bytes, at most {LARGEST}", node)
        (top, bottom), (left, right) = (axis.pads for axis in axes)
        height, width = need.static(node.outputs[0], node)[2:]
        return Phases(
            node, x, _kernels(weight, group, axes), bias, group, (top, left, bottom, right),
            dilations=(axes[0].step, axes[1].step), strides=(axes[0].by, axes[1].by),
            size=None if (height, width) == (axes[0].after, axes[1].after) else (height, width),
        )  # fmt: skip

    def build(self, match: Phases, rw: Rewriter) -> Tensor:
        """A convolution and its phases in place."""
        return enlarged(rw, match.x, match)


def _axes(node: Node, before: Sequence[int], kernel: Sequence[int], phases: int) -> tuple[Axis, Axis]:
    pads, after = ops.pads(node), need.static(node.outputs[0], node)
    if pads is None or "output_shape" in node.attrs:
        raise Mismatch("auto_pad or output_shape decides its pads, they must be stated", node)
    strides, dilations = ops.spatial(node, "strides", 2), ops.spatial(node, "dilations", 2)
    whole = [-(-size // phases) * phases for size in after]
    first, second = (
        Axis(before[2 + i], whole[2 + i], kernel[i], strides[i], dilations[i], pads[i], phases) for i in range(2)
    )
    return first, second


def _kernels(weight: Array, group: int, axes: tuple[Axis, Axis]) -> Array:
    """The weights of a transposed convolution by phase; a zero behind each kernel is for taps that are not there."""
    spaced = np.pad(weight, [(0, 0), (0, 0), (0, 1), (0, 1)])
    taken = spaced[:, :, axes[0].taps][..., axes[1].taps]
    grouped = taken.reshape(group, -1, *taken.shape[1:]).transpose(0, 2, 3, 5, 1, 4, 6)
    return grouped.reshape(-1, *grouped.shape[2:])


class CubicAsConv(Substitution[Phases]):
    """``Resize<cubic>(x) -> DepthToSpace(Conv(Pad<edge>(x)))`` by powers of two, depthwise, 5x5 weights per phase.

    The witness at O2, 16 channels of 28x28 twice as large: the Resize is on the CPU of both marches.
    """

    name, roots = "cubic-as-conv", frozenset({"Resize"})
    cures = frozenset({"Resize.mode"})

    def match(self, node: Node, ctx: Context) -> Phases:
        """Height and width of NxCxHxW, sampled at the same places around every pixel."""
        x = floats(node)
        before, after = need.static(x, node), need.static(node.outputs[0], node)
        if (mode := text(node, "mode", "nearest")) != "cubic":
            raise Mismatch(f"mode is {mode!r}, it must be 'cubic'", node)
        if len(before) != 4 or before[:2] != after[:2] or any(b % a for a, b in zip(before, after, strict=True)):
            raise Mismatch(f"{before} becomes {after}, height and width must grow by whole factors", node)
        factors = [after[2] // before[2], after[3] // before[3]]
        if len(set(factors)) > 1:
            raise Mismatch(f"height and width grow by {factors}, these must be equal", node)
        factor = whole_phases(node, factors, before[1], ctx.opset)
        if ops.attr(node, "exclude_outside", 0):
            raise Mismatch("exclude_outside is set, pixels at the edge must be repeated", node)
        how = text(node, "coordinate_transformation_mode", "half_pixel")
        if how not in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
            raise Mismatch(f"{how!r} samples at other places around every pixel, it must be 'half_pixel'", node)
        taps = cubic(factor, 0.0 if how == "asymmetric" else 0.5, float(ops.attr(node, "cubic_coeff_a", -0.75)))
        kernel = taps[:, None, :, None] * taps[None, :, None, :]
        return Phases(node, x, np.tile(kernel[None, :, :, None], (before[1], *[1] * 5)), group=before[1])

    def build(self, match: Phases, rw: Rewriter) -> Tensor:
        """Three nodes where the result is twice as large."""
        sides = [0, 0, REACH, REACH] * 2
        padded = rw.op("Pad", match.x, rw.ints(sides), mode="edge")
        return enlarged(rw, padded, match)


def cubic(factor: int, middle: float, a: float) -> Array:
    """Per phase the weights of the pixels from two before to two behind, after Keys' cubic convolution.

    ``middle`` is where in a pixel its value lies.

    >>> cubic(2, 0.0, -0.75).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0], [0.0, -0.09375, 0.59375, 0.59375, -0.09375]]
    """
    weights = np.zeros((factor, 2 * REACH + 1))
    for phase in range(factor):
        place = (phase + middle) / factor - middle
        for pixel in range(floor(place) - 1, floor(place) + 3):
            weights[phase, pixel + REACH] = _keys(abs(place - pixel), a)
    return weights


def _keys(t: float, a: float) -> float:
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
