"""Convolutions whose kernel is larger, or wider apart, than it has to be or may be."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np

from passes.linear.parts import Convolved, convolved, static, violations
from passes.linear.window import Axis, Window, convolution
from surgery.ir import Node, Tensor, Value
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build

PIECES = 64
"""Most convolutions that stand for one."""
LARGEST = 64 << 20
"""Most bytes of a weight with zeros between its taps."""


@dataclass(frozen=True)
class Trimmed:
    """A convolution, and the smaller one that stands for it."""

    node: Node
    conv: Convolved


class DropIdleTaps(Rule[Trimmed]):
    """Weights that only ever meet the zeros around the input are dropped, as those of a dilation of its size.

    ``Conv<dilation 24, pads 24>(x)`` of 20x20 sees nothing but its centre: a 1x1 convolution. Rounding: products with
    zero are left out.
    """

    name, roots = "drop-idle-taps", frozenset({"Conv"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Trimmed | Mismatch:
        """At least one row or column of the kernel never meets the input, and another does."""
        if not any(node.attrs.get("pads") or []) and "auto_pad" not in node.attrs:
            return Mismatch("does not pad", node, absent=True)
        window = convolution(node)
        sizes, outputs = static(node.inputs[0], node)[1:], static(node.outputs[0], node)[1:]
        kept = [
            _alive(axis, taps, size, count)
            for axis, taps, size, count in zip(window.axes, window.taps, sizes, outputs, strict=True)
        ]
        if all(len(alive) == taps for alive, taps in zip(kept, window.taps, strict=True)):
            return Mismatch("every row and column of the kernel meets the input", node, absent=True)
        if not all(kept):
            return Mismatch("no weight meets the input", node)
        return Trimmed(node, convolved(part(window, kept), node.inputs[0], node.outputs[0], node))

    def rewrite(self, match: Trimmed, rw: Rewriter) -> None:
        """The convolution with what is left."""
        rw.replace(match.node, match.conv.build(rw, match.node))


def _alive(axis: Axis, taps: int, size: int, outputs: int) -> range:
    """The taps from the first to the last that meet one of ``size`` elements for one of ``outputs`` results."""
    at = np.arange(outputs) * axis.stride + axis.first
    meets = [k for k in range(taps) if ((at + k * axis.step >= 0) & (at + k * axis.step < size)).any()]
    return range(meets[0], meets[-1] + 1) if meets else range(0)


def part(window: Window, taps: Sequence[range]) -> Window:
    """Some of the taps of a map, those beside each other; the bias as it is."""
    axes = tuple(
        Axis(axis.first + kept.start * axis.step, axis.step if len(kept) > 1 else 1, axis.stride)
        for axis, kept in zip(window.axes, taps, strict=True)
    )
    weight = window.weight[(slice(None), slice(None), *(slice(kept.start, kept.stop) for kept in taps))]
    return replace(window, weight=weight, axes=axes)


@dataclass(frozen=True)
class Tile:
    """A convolution of ``x`` without ``begins`` and ``ends`` elements along each axis."""

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    conv: Convolved


@dataclass(frozen=True)
class Tiled:
    """A convolution, and those that add up to it."""

    node: Node
    tiles: tuple[Tile, ...]


class TileKernel(Rule[Tiled]):
    """A kernel or dilation over the limits as one with zeros between its taps, or a sum with a part of the taps each.

    Taps that lie off the centre read a shifted input: with zeros for the taps in between where the limits leave room
    for these, else of a slice. One convolution is preferred, then the largest parts that the march takes. Rounding:
    sums in another order.
    """

    name, roots = "tile-kernel", frozenset({"Conv"})
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = frozenset(
        f"Conv.{limit}"
        for limit in (
            *("kernel_h", "kernel_w", "dilation", "dilation_h", "dilation_w"),
            *("dilation_order", "dilation_stride", "idle_dilation", "stride"),
        )
    )

    def match(self, node: Node, ctx: Context) -> Tiled | Mismatch:
        """Constant weights, known sizes, and few enough parts that the march takes."""
        for _, way in self.ways(node, ctx):
            if isinstance(way, Tiled):
                return way
        return Mismatch("no part of the kernel is within the limits", node)

    def ways(self, node: Node, ctx: Context) -> Iterator[tuple[str, Tiled | Mismatch]]:
        """Without a dilation in one piece, then by the length of the parts, the largest first."""
        if ctx.target is None:
            raise Mismatch("no march is given, so no limit is exceeded", node)
        static(node.inputs[0], node)
        own, others = convolution(node), {v.constraint for v in ctx.violations(node) if not self.cure([v])}
        dilated = any(axis.step > 1 for axis in own.axes)
        if dilated:
            yield _stuffed_way(own, node, ctx, others)
        for length in range(max(own.taps) - (not dilated), 0, -1):
            yield way(own, length, node, ctx, others)

    def rewrite(self, match: Tiled, rw: Rewriter) -> None:
        """The parts, and their sum."""
        build_tiles(match, rw)


def build_tiles(match: Tiled, rw: Rewriter) -> None:
    """Let the sum of the parts, from left to right, stand for the node."""
    total: Value | None = None
    for tile in match.tiles:
        x = _cropped(tile, match.node.inputs[0], rw)
        value = replace(tile.conv, x=x).build(rw, match.node if total is None else None)
        total = value if total is None else rw.op("Add", total, value)
    assert total is not None
    rw.replace(match.node, total)


@dataclass(frozen=True)
class Span:
    """Taps of one axis, zeros to have before and behind them, and what is cut off the input at both ends."""

    taps: range
    before: int = 0
    behind: int = 0
    begin: int = 0
    end: int = 0


def _spans(axis: Axis, taps: int, length: int, size: int, outputs: int) -> Iterator[Span]:
    """Parts of at most ``length`` taps; a single tap has no dilation."""
    for start in range(0, taps, length):
        kept = range(start, min(start + length, taps))
        first, last = axis.first + kept[0] * axis.step, axis.first + kept[-1] * axis.step
        begin, end = max(0, first), max(0, size - 1 - (outputs - 1) * axis.stride - last)
        room = (length - len(kept)) if axis.step == 1 else 0
        if begin <= room and begin + end <= room:
            yield Span(kept, before=begin, behind=end)
        else:
            yield Span(kept, begin=begin, end=end)


def _stuffed_way(window: Window, node: Node, ctx: Context, others: Container[str]) -> tuple[str, Tiled | Mismatch]:
    """The same map without dilation, in one piece."""
    stuffed = closer(window, [1] * len(window.axes), node)
    if isinstance(stuffed, Mismatch):
        return "zeros between the taps", stuffed
    return way(stuffed, max(stuffed.taps), node, ctx, others)


def closer(window: Window, steps: Sequence[int], node: Node) -> Window | Mismatch:
    """The same map with ``steps`` from tap to tap, which divide its own, and zeros for the taps in between."""
    along = list(zip(window.axes, window.taps, steps, strict=True))
    taps = [1 + (count - 1) * axis.step // step for axis, count, step in along]
    size = window.weight.size // prod(window.taps) * prod(taps) * window.weight.itemsize
    if size > LARGEST:
        return Mismatch(f"with zeros between its taps the weight takes {size} bytes, at most {LARGEST}", node)
    return window.stretched([replace(axis, step=step) for axis, _, step in along], taps)


def way(window: Window, length: int, node: Node, ctx: Context, others: Container[str]) -> tuple[str, Tiled | Mismatch]:
    """``window`` in parts of at most ``length`` taps along every axis, if they break no limits but ``others``.

    These are broken by the whole and cured by other rules, as that of channels is.
    """
    tiles = _tiles(window, length, node)
    wrong = (v for tile in tiles for v in violations(tile.conv, node, ctx) if v.constraint not in others)
    limit = next(map(str, wrong), "")
    way = Mismatch(f"a part breaks {limit}", node) if limit else Tiled(node, tiles)
    return f"{len(tiles)} of at most {length} taps along an axis", way


def _tiles(window: Window, length: int, node: Node) -> tuple[Tile, ...]:
    """The parts of at most ``length`` taps along every axis that meet the input."""
    sizes, outputs = static(node.inputs[0], node)[1:], static(node.outputs[0], node)[1:]
    spans = [
        [span for span in _spans(axis, taps, length, size, count) if span.begin + span.end < size]
        for axis, taps, size, count in zip(window.axes, window.taps, sizes, outputs, strict=True)
    ]
    count = prod(len(along) for along in spans)
    if not count:
        raise Mismatch("no weight meets the input", node)
    if count > PIECES:
        raise Mismatch(f"takes {count} convolutions of {length} taps along an axis, at most {PIECES}", node)
    return tuple(_tile(window, at, node, first=not index) for index, at in enumerate(product(*spans)))


def _tile(window: Window, spans: Sequence[Span], node: Node, *, first: bool) -> Tile:
    """One part; the bias goes with the first."""
    kept = part(window, [span.taps for span in spans])
    widths = [(0, 0), (0, 0), *((span.before, span.behind) for span in spans)]
    axes = tuple(
        Axis(axis.first - span.before - span.begin, axis.step, axis.stride)
        for axis, span in zip(kept.axes, spans, strict=True)
    )
    bias = kept.bias if first else np.zeros_like(kept.bias)
    begins, ends = tuple(span.begin for span in spans), tuple(span.end for span in spans)
    x = node.inputs[0]
    left = [int(size) - b - e for size, b, e in zip(static(x, node)[1:], begins, ends, strict=True)]
    seen = Value("ghost", x.dtype, (*(x.shape or ())[:2], *left))
    return Tile(begins, ends, convolved(Window(np.pad(kept.weight, widths), bias, kept.group, axes), seen,
                                        node.outputs[0], node))  # fmt: skip


def _cropped(tile: Tile, x: Tensor, rw: Rewriter) -> Tensor:
    """The part of ``x`` that ``tile`` reads."""
    if not any(tile.begins) and not any(tile.ends):
        return x
    shape = x.shape or ()
    cut = [i for i, ends in enumerate(zip(tile.begins, tile.ends, strict=True)) if any(ends)]
    stops = [int(str(shape[i + 2])) - tile.ends[i] for i in cut]
    return build.slice_(rw, x, [i + 2 for i in cut], [tile.begins[i] for i in cut], stops)
