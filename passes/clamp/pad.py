"""Filling channels up to a multiple, between a layer and those that read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.clamp.layer import Layer, read
from passes.clamp.spread import Spread
from passes.clamp.steps import Copies, Cut, Parts, Step
from passes.clamp.trial import Trial
from surgery.ir import Constant, Node, Value
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule

INFINITE = frozenset({"Acosh", "Div", "Log", "Pow", "Reciprocal"})
"""What may make of a zero something that no zero weight silences."""


@dataclass(frozen=True)
class Wider:
    """A layer with more channels: zero rows of outputs, zero columns of inputs, or more channels of a depthwise one."""

    layer: Layer
    inputs: int = 0
    outputs: int = 0

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is a group."""
        return self.layer.work.groups > 1

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Make it; where the output has its old size, it replaces the old layer at once."""
        layer, node = self.layer, self.layer.node
        x = parts.get(id(layer.x), [layer.x])[0]
        weight, bias = self._weight(rw), layer.bias
        if isinstance(bias, Constant) and bias.rank and bias.shape[-1] == layer.work.groups * layer.work.outputs:
            bias = _fill(rw, bias, {bias.rank - 1: self.outputs})
        attrs = {**node.attrs, "group": layer.work.groups + self.inputs} if self.is_depthwise else node.attrs
        made = rw.op(node.op, *([x, weight] if bias is None else [x, weight, bias]), heir=node, **attrs)
        if not self.outputs:
            rw.replace(node, made)
        parts[id(layer.y)] = [made]

    def _weight(self, rw: Rewriter) -> Constant:
        axes = self.layer.weight_axes
        if self.is_depthwise:
            return _fill(rw, self.layer.weight, {0: self.inputs})
        return _fill(rw, self.layer.weight, dict(zip(axes, (self.inputs, self.outputs), strict=False)))


@dataclass(frozen=True)
class Filled(Copies):
    """A channelwise operator with more channels: its constants are filled up with ones, which no operator divides."""

    def part(self, values: np.ndarray[Any, Any], axis: int, start: int, size: int) -> np.ndarray[Any, Any]:
        """The whole constant, longer."""
        widths = [(0, size - values.shape[a] if a == axis else 0) for a in range(values.ndim)]
        return np.pad(values, widths, constant_values=np.ones((), values.dtype))


class Fill(Spread):
    """The steps that carry the added channels of one value to the layers that ignore them."""

    def why(self, value: Value, cut: Cut) -> str:
        """Why the added channels have to be carried on."""
        return f"{value.name!r} would have {sum(cut.sizes)} channels"

    def joins(self, value: Value, cut: Cut) -> bool:
        """Never: what is added has to end in a layer."""
        return False

    def copies(self, node: Node, cut: Cut) -> Step:
        """The operator with more channels, if it keeps them finite."""
        if node.op in INFINITE:
            raise Mismatch(f"{node.op} {node.name!r} may be infinite where a channel is zero", node)
        return Filled(node, cut)

    def product(self, layer: Layer, cut: Cut) -> tuple[Step, Cut | None]:
        """The layer with zero weights for what was added; a depthwise one passes it on."""
        work = layer.work
        extra = sum(cut.sizes) - work.groups * work.inputs
        if work.groups == 1:
            return Wider(layer, inputs=extra), None
        if work.inputs > 1 or work.outputs > 1:
            raise Mismatch(f"{layer.node.op} {layer.node.name!r} has groups of more than one channel", layer.node)
        return Wider(layer, inputs=extra, outputs=extra), cut


@dataclass(frozen=True)
class Filling:
    """The layer whose outputs become more, and everything to be done, in order."""

    node: Node
    steps: tuple[Step, ...]


class PadChannels(Rule[Filling]):
    """Give a layer outputs up to a multiple of channels, zero ones, which the layers that read it ignore.

    ::

        y = Conv(Relu(Conv(x, W, b)), V)        30 channels between the two

        y = Conv(Relu(Conv(x, W1, b1)), V1)     32: W1 and b1 have two more rows of zeros, V1 two more columns

    The added terms are zero, so the function is the same; rounding, because a kernel may sum in another order when
    its sizes change.
    """

    name = "pad-channels"
    roots = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def __init__(self, multiple: int | None = None) -> None:
        self.multiple = multiple

    def match(self, node: Node, ctx: Context) -> Filling | Mismatch:
        """Where the added channels go, which has to be into layers alone."""
        layer, trial = read(node), Trial(ctx, node)
        multiple = self.multiple or trial.steps[1]
        extra = -layer.work.outputs % multiple
        if layer.work.groups > 1:
            return Mismatch(f"it has {layer.work.groups} groups, only a layer of one can be filled up", node)
        if not extra or len(layer.weight_axes) < 2:
            return Mismatch(f"{layer.work.outputs} output channels are a multiple of {multiple} already", node)
        if layer.bias is not None and not isinstance(layer.bias, Constant):
            return Mismatch("the bias is computed, only a constant one can be filled up", node)
        cut = Cut(layer.out_axis, (layer.work.outputs + extra,))
        return Filling(node, (Wider(layer, outputs=extra), *Fill(ctx, trial).run(layer.y, cut)))

    def rewrite(self, match: Filling, rw: Rewriter) -> None:
        """Do the steps; what they replaced goes with the values that nothing reads any more."""
        parts: Parts = {}
        for step in match.steps:
            step.emit(rw, parts)


def _fill(rw: Rewriter, tensor: Constant, more: dict[int, int]) -> Constant:
    """``tensor`` with zeros behind the end of the axes in ``more``."""
    widths = [(0, more.get(axis, 0)) for axis in range(tensor.rank)]
    return rw.constant(np.pad(tensor.values, widths), name=f"{tensor.name}/filled")
