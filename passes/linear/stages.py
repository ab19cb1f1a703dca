"""Convolutions over patches that lie side by side, a factor of two at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from passes.linear.parts import Convolved, convolved, static
from passes.linear.window import Array, Axis, Window, convolution
from surgery.ir import Node, Value
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule

PAIR = 2
"""Stride up to which an engine leaves places out instead of working them out."""


@dataclass(frozen=True)
class Staged:
    """A convolution, and those that compute it one behind the other."""

    node: Node
    convs: tuple[Convolved, ...]


class StageStride(Rule[Staged]):
    """``Conv<kernel 16, strides 16>(x)``, as in front of a transformer, in stages that each halve height and width.

    ::

        y = Conv <strides = [4, 4]> (x, W)        W: 96x3x4x4

        a = Conv <strides = [2, 2]> (x, P)        P: 12x3x2x2, a single 1 in every filter
        y = Conv <strides = [2, 2]> (a, V)        V: 96x12x2x2, the numbers of W

    The engines know strides of 1 and 2: they work a larger one out at the places in between, too, and drop these
    (docs/passes/tile-kernels.md). The first stages only move what they read into channels. Rounding: sums are added up
    in another order.
    """

    name, roots = "stage-stride", frozenset({"Conv"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Staged | Mismatch:
        """Patches of even sides without pads, of what nothing else reads; no more channels in between than come out."""
        strides = tuple(node.attrs.get("strides") or ())
        if len(strides) != 2 or min(strides) <= PAIR or any(s % PAIR for s in strides):
            return Mismatch("has no even strides of more than 2", node, absent=True)
        window = convolution(node)
        if window.group != 1 or window.axes != tuple(Axis(stride=s) for s in window.taps):
            return Mismatch("its patches do not lie side by side", node)
        if len(node.inputs[0].outputs) > 1:
            return Mismatch(f"{node.inputs[0].name!r} is read by others, too", node)
        windows = tuple(stages(window))
        if len(windows) == 1:
            return Mismatch(f"would take more channels in between than the {len(window.weight)} that come out", node)
        return Staged(node, tuple(_convs(windows, node)))

    def rewrite(self, match: Staged, rw: Rewriter) -> None:
        """The stages; the last has the name of the node."""
        value = match.convs[0].x
        for conv in match.convs[:-1]:
            value = replace(conv, x=value).build(rw, None)
        rw.replace(match.node, replace(match.convs[-1], x=value).build(rw, match.node))


def stages(window: Window) -> Iterator[Window]:
    """The maps whose chain is ``window``: those that move 2x2 places into channels, and what is left of it."""
    while _halves(window):
        channels = window.channels
        yield Window(_moving(channels), np.zeros(4 * channels), 1, (Axis(stride=PAIR),) * 2)
        window = _halved(window)
    yield window


def _halves(window: Window) -> bool:
    sides = window.taps
    return min(sides) > PAIR and not any(s % PAIR for s in sides) and 4 * window.channels <= len(window.weight)


def _moving(channels: int) -> Array:
    """(4 * channels, channels, 2, 2): the places of a channel become four channels behind each other."""
    return np.eye(4 * channels).reshape(4 * channels, channels, PAIR, PAIR)


def _halved(window: Window) -> Window:
    """The map of what :func:`_moving` makes of the input: the places of a 2x2 block are channels."""
    outs, ins, high, wide = window.weight.shape
    apart = window.weight.reshape(outs, ins, high // PAIR, PAIR, wide // PAIR, PAIR)
    weight = apart.transpose(0, 1, 3, 5, 2, 4).reshape(outs, 4 * ins, high // PAIR, wide // PAIR)
    return replace(window, weight=weight, axes=tuple(Axis(stride=axis.stride // PAIR) for axis in window.axes))


def _convs(windows: Sequence[Window], node: Node) -> Iterator[Convolved]:
    x = node.inputs[0]
    for window in windows[:-1]:
        sides = (size // PAIR for size in static(x, node)[1:])
        made = Value("ghost", x.dtype, ((x.shape or ())[0], len(window.weight), *sides))
        yield convolved(window, x, made, node)
        x = made
    yield convolved(windows[-1], x, node.outputs[0], node)
