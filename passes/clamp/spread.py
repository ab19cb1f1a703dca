"""Carrying the parts of a value on, through operators that keep channels apart, to where they come together.

A value that was cut is put together by Concat as soon as the march has that Concat. Until then every reader has to
work on the parts: channelwise operators part by part, convolutions and matrix products by partial sums.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeAlias

import numpy as np

from passes.clamp.layer import OPS as LAYERS
from passes.clamp.layer import Layer, add, multiply, read
from passes.clamp.plan import Plan, plans_for
from passes.clamp.trial import Trial, resized, with_size
from surgery.ir import Constant, Node, Shape, Tensor, Value
from surgery.rewrite import Context, Mismatch, Rewriter, build


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _names(
    "Abs Acos Acosh Add Asin Asinh Atan Atanh BatchNormalization Cast Ceil Celu Clip Cos Cosh Div Dropout Elu Erf Exp "
    "Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Max Min Mish Mul Neg PRelu Pow Reciprocal Relu Round "
    "Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Tan Tanh ThresholdedRelu"
)
"""Every element of the output comes from the elements at its place; per-channel constants are cut along."""
SPATIAL = _names("AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool")
"""Every channel (axis 1) of the output comes from that channel of the input."""

Parts: TypeAlias = "dict[int, list[Tensor]]"


@dataclass(frozen=True)
class Cut:
    """How a value is cut: along which axis, in which sizes."""

    axis: int
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """A whole tensor is cut in parts by ``op`` (Split or Slice)."""

    tensor: Tensor
    cut: Cut
    op: str

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Make the parts."""
        if self.op == "Split":
            parts[id(self.tensor)] = build.split(rw, self.tensor, self.cut.sizes, self.cut.axis)
            return
        ends = [sum(self.cut.sizes[: i + 1]) for i in range(len(self.cut.sizes))]
        axis = [self.cut.axis]
        parts[id(self.tensor)] = [
            build.slice_(rw, self.tensor, axis, [end - size], [end])
            for size, end in zip(self.cut.sizes, ends, strict=True)
        ]


@dataclass(frozen=True)
class Product:
    """A layer is computed in the pieces of ``plan``."""

    layer: Layer
    plan: Plan

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Make the products and sums; a layer whose output stays whole is replaced at once."""
        layer, xs = self.layer, parts.get(id(self.layer.x), [self.layer.x])
        width, made = len(self.plan.inputs), []
        for number, row in enumerate(self.plan.rows()):
            start = number // len(self.plan.outputs) * width
            made.append(add(rw, [
                multiply(rw, layer, piece, x, first=i == 0, heir=number == i == 0)
                for i, (piece, x) in enumerate(zip(row, xs[start : start + width], strict=True))
            ]))  # fmt: skip
        if len(made) == 1:
            rw.replace(layer.node, made[0])
        parts[id(layer.y)] = list(made)


@dataclass(frozen=True)
class Copies:
    """A channelwise operator works part by part."""

    node: Node
    cut: Cut

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Make one copy per part."""
        made: list[Tensor] = []
        for index, size in enumerate(self.cut.sizes):
            start = sum(self.cut.sizes[:index])
            inputs = [self._input(rw, parts, t, index, start, size) for t in self.node.inputs]
            made.append(rw.op(self.node.op, *inputs, heir=self.node if index == 0 else None, **self.node.attrs))
        parts[id(self.node.outputs[0])] = made

    def _input(self, rw: Rewriter, parts: Parts, tensor: Tensor, index: int, start: int, size: int) -> Tensor | None:
        if tensor.is_empty():
            return None
        if id(tensor) in parts:
            return parts[id(tensor)][index]
        axis = constant_axis(self.node, tensor, self.cut.axis)
        if axis is None or not isinstance(tensor, Constant):
            return tensor
        return rw.constant(self.part(tensor.values, axis, start, size), name=f"{tensor.name}/part")

    def part(self, values: np.ndarray[Any, Any], axis: int, start: int, size: int) -> np.ndarray[Any, Any]:
        """What a copy reads of a constant."""
        return values[(slice(None),) * axis + (slice(start, start + size),)]


@dataclass(frozen=True)
class Join:
    """The parts of a value are put together."""

    value: Value
    axis: int

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Make the Concat, and let it stand for the value."""
        whole = build.concat(rw, parts[id(self.value)], self.axis)
        assert self.value.producer is not None
        rw.replace(self.value.producer, whole)


@dataclass(frozen=True)
class Given:
    """The operands of a Concat are parts already."""

    node: Node

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Take them."""
        parts[id(self.node.outputs[0])] = list(self.node.inputs)


class Step(Protocol):
    """One thing to be done; reads the parts of its inputs and leaves those of its output, by ``id`` of the value."""

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Do it."""


def bring_together(value: Value, cut: Cut, ctx: Context, trial: Trial) -> list[Step]:
    """The steps from the parts of ``value`` on: joined at once, unless every layer ahead has to be cut anyway.

    Raises Mismatch, naming what the parts cannot pass.
    """
    try:
        steps = Spread(ctx, trial, eager=False).run(value, cut)
    except Mismatch:
        return Spread(ctx, trial).run(value, cut)
    if all(trial.is_over(step.layer) for step in steps if isinstance(step, Product)):
        return steps
    return Spread(ctx, trial).run(value, cut)


class Spread:
    """The steps that bring the parts of one value to where they come together.

    Args:
        ctx: tells graph outputs.
        trial: tells what is legal.
        eager: join at the first Concat that is legal; else only behind the next layers.
    """

    def __init__(self, ctx: Context, trial: Trial, *, eager: bool = True) -> None:
        self.ctx, self.trial, self.eager = ctx, trial, eager
        self.steps: list[Step] = []
        self._cuts: dict[int, Cut] = {}
        self._pending: deque[Value] = deque()
        self._waiting: dict[int, Node] = {}
        self._done: set[int] = set()

    def run(self, value: Value, cut: Cut) -> list[Step]:
        """The steps from ``value`` on. Raises Mismatch, naming what the parts cannot pass."""
        self._cut(value, cut)
        while self._pending:
            self._settle(self._pending.popleft())
        for node in self._waiting.values():
            other = next(t for t in node.inputs if self._is_whole(node, t))
            raise Mismatch(
                f"{self._why(value, cut)}, and {node.op} {node.name!r} joins the parts with {other.name!r}", node
            )
        return self.steps

    def _cut(self, value: Value, cut: Cut) -> None:
        self._cuts[id(value)] = cut
        self._pending.append(value)

    def _settle(self, value: Value) -> None:
        cut = self._cuts[id(value)]
        behind_layer = any(isinstance(step, Product) and step.layer.y is value for step in self.steps)
        if (self.eager or behind_layer) and self.trial.joins(value, cut.axis, cut.sizes):
            self.steps.append(Join(value, cut.axis))
            return
        if self.ctx.is_output(value) or not value.consumers:
            raise Mismatch(f"{self._why(value, cut)}, and {value.name!r} is a graph output", value)
        for reader in value.consumers:
            if id(reader) not in self._done:
                self._carry(reader, value, cut)

    def _why(self, value: Value, cut: Cut) -> str:
        return f"{self.trial.target.name} has no Concat of {sum(cut.sizes)} channels"

    def _carry(self, node: Node, value: Value, cut: Cut) -> None:
        if node.graph is not self.trial.root.graph:
            raise Mismatch(f"{self._why(value, cut)}, and {value.name!r} is read in a body", node)
        if any(self._is_whole(node, t) for t in node.inputs):
            self._waiting[id(node)] = node
            return
        self._waiting.pop(id(node), None)
        self._done.add(id(node))
        if not node.is_onnx or node.op not in _CARRY or len(node.outputs) > 1:
            raise Mismatch(f"{self._why(value, cut)}, and {node.op} {node.name!r} cannot work on the parts", node)
        _CARRY[node.op](self, node, cut)

    def _is_whole(self, node: Node, tensor: Tensor) -> bool:
        """Whether ``tensor`` is computed, has all the channels, and comes in one piece (so far)."""
        if tensor.is_empty() or isinstance(tensor, Constant) or id(tensor) in self._cuts:
            return False
        cut = next(self._cuts[id(t)] for t in node.inputs if id(t) in self._cuts)
        return node.op not in ELEMENTWISE or constant_axis(node, tensor, cut.axis) is not None

    def _copies(self, node: Node, cut: Cut) -> None:
        self._step_by_step(node, cut, cut)

    def _spatial(self, node: Node, cut: Cut) -> None:
        if cut.axis != 1:
            raise Mismatch(f"{node.op} {node.name!r} reads across the parts, which are cut along axis {cut.axis}", node)
        self._copies(node, cut)

    def _flatten(self, node: Node, cut: Cut) -> None:
        shape = node.inputs[0].shape or ()
        area = [d for d in shape[2:] if isinstance(d, int)]
        if cut.axis != 1 or node.attrs.get("axis", 1) != 1 or len(area) != len(shape) - 2:
            raise Mismatch(f"Flatten {node.name!r} must keep axis 0, and the dims behind axis 1 must be known", node)
        self._step_by_step(node, cut, Cut(1, tuple(size * prod(area) for size in cut.sizes)))

    def _step_by_step(self, node: Node, cut: Cut, after: Cut) -> None:
        value = node.outputs[0]
        if any(id(t) in self._cuts and self._cuts[id(t)] != cut for t in node.inputs):
            raise Mismatch(f"{node.op} {node.name!r} joins parts of different sizes", node)
        for size, out in sorted({*zip(cut.sizes, after.sizes, strict=True)}):
            inputs = [self._stand_in(node, t, cut.axis, size) for t in node.inputs]
            self.trial.copy(node, inputs, _known(with_size(value.shape, after.axis, out), value))
        self.steps.append(Copies(node, cut))
        self._cut(value, after)

    def _stand_in(self, node: Node, tensor: Tensor, axis: int, size: int) -> Tensor:
        if id(tensor) in self._cuts:
            return Value("ghost", tensor.dtype, with_size(tensor.shape, axis, size))
        own = constant_axis(node, tensor, axis)
        return resized(tensor, tensor.shape if own is None else with_size(tensor.shape, own, size))

    def _product(self, node: Node, cut: Cut) -> None:
        layer = read(node)
        if id(layer.x) not in self._cuts or (layer.bias is not None and id(layer.bias) in self._cuts):
            raise Mismatch(f"{node.op} {node.name!r} adds the parts as a bias", node)
        if layer.in_axis != cut.axis:
            raise Mismatch(f"{node.op} {node.name!r} sums over axis {layer.in_axis}, the parts lie on {cut.axis}", node)
        step = best(layer, plans_for(layer.work, cut.sizes, self.trial.steps), self.trial)
        self.steps.append(step)
        if len(step.plan.output_sizes) > 1:
            self._cut(layer.y, Cut(layer.out_axis, step.plan.output_sizes))


_CARRY: dict[str, Callable[[Spread, Node, Cut], None]] = {
    **dict.fromkeys(ELEMENTWISE, Spread._copies),
    **dict.fromkeys(SPATIAL, Spread._spatial),
    **dict.fromkeys(LAYERS, Spread._product),
    "Flatten": Spread._flatten,
}


def best(layer: Layer, plans: list[Plan], trial: Trial) -> Product:
    """The first of ``plans`` whose pieces are legal. Raises what was wrong with the last one."""
    reason = Mismatch(f"the parts tear a group of {layer.node.op} {layer.node.name!r}", layer.node)
    for plan in plans:
        try:
            trial.products(layer, plan)
        except Mismatch as mismatch:
            reason = mismatch
        else:
            return Product(layer, plan)
    raise reason


def constant_axis(node: Node, tensor: Tensor, axis: int) -> int | None:
    """The axis of an operand that lies on ``axis`` of the result; None where it has one element there."""
    if node.op == "BatchNormalization":
        return 0
    rank = node.outputs[0].rank
    if tensor.rank is None or rank is None or tensor.shape is None:
        raise Mismatch(f"{tensor.name!r} has no known shape", node)
    own = axis - (rank - tensor.rank)
    return None if own < 0 or tensor.shape[own] == 1 else own


def _known(shape: Shape | None, value: Value) -> Shape:
    if shape is None:
        raise Mismatch(f"{value.name!r} has no known shape", value)
    return shape
