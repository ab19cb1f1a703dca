"""A linear map of one tensor as the convolution that computes it, and how such maps add up and follow each other.

Numbers are float64 as soon as anything is computed with them. An axis of a map is told by the position of its first
tap relative to ``stride`` times the index of the output, the way from tap to tap, and the stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod
from typing import Any, TypeAlias

import numpy as np

from surgery.ir import Node, ops
from surgery.rewrite import Mismatch, need

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True)
class Axis:
    """Where the taps are along one spatial axis."""

    first: int = 0
    step: int = 1
    stride: int = 1

    def reach(self, taps: int) -> int:
        """The position of the last of ``taps`` taps for output 0."""
        return self.first + (taps - 1) * self.step


@dataclass(frozen=True)
class Window:
    """``y[o] = bias[o] + sum over taps of weight[o, i, tap] * x[i]``, zeros outside of x.

    Attributes:
        weight: (channels out, channels in / group, taps along each axis).
        bias: (channels out,).
        group: as of Conv.
        axes: one per spatial axis.
    """

    weight: Array
    bias: Array
    group: int
    axes: tuple[Axis, ...]

    @property
    def taps(self) -> tuple[int, ...]:
        """The number of taps along each axis."""
        return tuple(self.weight.shape[2:])

    @property
    def channels(self) -> int:
        """How many channels it reads."""
        return int(self.weight.shape[1]) * self.group

    @property
    def outline(self) -> Outline:
        """The map without its numbers."""
        return Outline(self.group, int(self.weight.shape[1]), len(self.weight), self.axes, self.taps)

    def scaled(self, factor: Array) -> Window:
        """With every output channel times ``factor``, one number or one per channel."""
        by = np.broadcast_to(factor, self.bias.shape)
        return replace(self, weight=self.weight * by.reshape(-1, *(1,) * (self.weight.ndim - 1)), bias=self.bias * by)

    def shifted(self, by: Array) -> Window:
        """With ``by``, one number or one per channel, added to the outputs."""
        return replace(self, bias=self.bias + by)

    def regrouped(self, group: int) -> Window:
        """The same map with fewer, larger groups; ``group`` divides its own."""
        if group == self.group:
            return self
        outs, ins = len(self.weight) // self.group, self.weight.shape[1]
        merged = self.group // group
        weight = np.zeros((group, merged, outs, merged, ins, *self.taps))
        parts = self.weight.reshape(group, merged, outs, ins, *self.taps)
        for index in range(merged):
            weight[:, index, :, index] = parts[:, index]
        return replace(self, weight=weight.reshape(len(self.weight), merged * ins, *self.taps), group=group)

    def stretched(self, axes: Sequence[Axis], taps: Sequence[int]) -> Window:
        """The same map with zeros for the taps it lacks among those of ``axes``."""
        if tuple(axes) == self.axes and tuple(taps) == self.taps:
            return self
        weight = np.zeros((*self.weight.shape[:2], *taps))
        at = [
            [(old.first + k * old.step - new.first) // new.step for k in range(count)]
            for old, new, count in zip(self.axes, axes, self.taps, strict=True)
        ]
        place: tuple[Any, ...] = (slice(None), slice(None), *np.ix_(*at))
        weight[place] = self.weight
        return replace(self, weight=weight, axes=tuple(axes))

    def _matrices(self) -> Array:
        """The weight as (taps along each axis, group, channels out, channels in), the latter within a group."""
        by_group = self.weight.astype(np.float64).reshape(self.group, -1, *self.weight.shape[1:])
        return np.moveaxis(by_group, range(3), range(-3, 0))


def pointwise(factor: Array, rank: int) -> Window:
    """``y[c] = factor[c] * x[c]`` over ``rank`` spatial axes."""
    ones = np.asarray(factor, np.float64).reshape(-1, 1, *(1,) * rank)
    return Window(ones, np.zeros(len(ones)), len(ones), (Axis(),) * rank)


def convolution(node: Node) -> Window:
    """What a Conv of constant weights computes; raises Mismatch when that cannot be said."""
    need.dtype(need.present(node, 1), node)
    weight = need.constant(node, 1)
    rank = weight.ndim - 2
    pads = ops.pads(node)
    if pads is None:
        raise Mismatch(f"auto_pad {node.attrs.get('auto_pad')!r} needs sizes that are not known", node)
    axes = zip(pads[:rank], ops.spatial(node, "dilations", rank), ops.spatial(node, "strides", rank), strict=True)
    bias = np.zeros(len(weight)) if node.input(2) is None else need.constant(node, 2).astype(np.float64)
    return Window(weight, bias, int(ops.attr(node, "group", 1)), tuple(Axis(-pad, step, by) for pad, step, by in axes))


def plus(a: Window, b: Window) -> Window:
    """The sum of two maps of equal strides and channels."""
    spans = [
        _union(*along) for along in zip(zip(a.axes, a.taps, strict=True), zip(b.axes, b.taps, strict=True), strict=True)
    ]
    axes, taps, group = [axis for axis, _ in spans], [count for _, count in spans], gcd(a.group, b.group)
    one, other = (part.stretched(axes, taps).regrouped(group) for part in (a, b))
    return replace(one, weight=np.add(one.weight, other.weight, dtype=np.float64), bias=one.bias + other.bias)


def _union(a: tuple[Axis, int], b: tuple[Axis, int]) -> tuple[Axis, int]:
    """The fewest evenly spaced taps that hold those of both maps along one axis."""
    first = min(axis.first for axis, _ in (a, b))
    last = max(axis.reach(count) for axis, count in (a, b))
    step = gcd(*(axis.first - first for axis, _ in (a, b)), *(axis.step for axis, count in (a, b) if count > 1)) or 1
    return Axis(first, step, a[0].stride), (last - first) // step + 1


@dataclass(frozen=True)
class Outline:
    """A map without its numbers: groups, channels read by each, channels out, axes and taps."""

    group: int
    ins: int
    outs: int
    axes: tuple[Axis, ...]
    taps: tuple[int, ...]

    def macs(self, outputs: Sequence[int]) -> int:
        """Products that it takes for ``outputs``, of one image; none where it copies or scales channels."""
        if self.ins == 1 and self.group == self.outs and set(self.taps) <= {1}:
            return 0
        return self.outs * self.ins * prod(self.taps) * prod(outputs)


def chained(inner: Window, outer: Window) -> Outline:
    """The outline of ``outer`` of ``inner``."""
    group = gcd(inner.group, outer.group)
    spans = [_chained(x, m, y, n) for x, m, y, n in zip(inner.axes, inner.taps, outer.axes, outer.taps, strict=True)]
    axes, taps = tuple(axis for axis, _ in spans), tuple(count for _, count in spans)
    return Outline(group, inner.channels // group, len(outer.weight), axes, taps)


def chain(inner: Window, outer: Window) -> Window:
    """The map that computes ``outer`` of ``inner``, outside of the tensor in between, too."""
    like = chained(inner, outer)
    rank, group = len(like.taps), like.group
    first, second = (part.regrouped(group)._matrices() for part in (inner, outer))
    weight = np.zeros((*like.taps, group, second.shape[-2], first.shape[-1]))
    for outward in product(*map(range, outer.taps)):
        for inward in product(*map(range, inner.taps)):
            at = tuple(
                (p * y.step * x.stride + q * x.step) // axis.step
                for p, q, x, y, axis in zip(outward, inward, inner.axes, outer.axes, like.axes, strict=True)
            )
            weight[at] += second[outward] @ first[inward]
    lifted = second.sum(axis=tuple(range(rank))) @ inner.bias.reshape(group, -1, 1)
    merged = np.moveaxis(weight, range(rank), range(-rank, 0)).reshape(like.outs, -1, *like.taps)
    return Window(merged, outer.bias + lifted.reshape(-1), group, like.axes)


def _chained(inner: Axis, m: int, outer: Axis, n: int) -> tuple[Axis, int]:
    steps = [inner.step] * (m > 1) + [outer.step * inner.stride] * (n > 1)
    step = gcd(*steps) or 1
    length = (m - 1) * inner.step + (n - 1) * outer.step * inner.stride
    first = inner.first + outer.first * inner.stride
    return Axis(first, step, inner.stride * outer.stride), length // step + 1


def end_pads(window: Window, sizes: Sequence[int], outputs: Sequence[int]) -> list[int] | None:
    """Zeros behind an input of ``sizes`` for just ``outputs`` results; None where no pad comes to that."""
    found = []
    for axis, taps, size, count in zip(window.axes, window.taps, sizes, outputs, strict=True):
        pad = max(0, (count - 1) * axis.stride + axis.reach(taps) + 1 - size)
        if axis.first > 0 or (size + pad - 1 - axis.reach(taps)) // axis.stride + 1 != count:
            return None
        found.append(pad)
    return found
