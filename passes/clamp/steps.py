"""What is done to carry out a cut, one step after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from passes.clamp.layer import Layer, add, multiply
from passes.clamp.plan import Plan
from surgery.ir import Constant, Node, Tensor, Value
from surgery.rewrite import Mismatch, Rewriter, build

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
class Flattened:
    """A Flatten, or a Reshape that is one, works part by part; ``cut`` is that of its input."""

    node: Node
    cut: Cut

    def emit(self, rw: Rewriter, parts: Parts) -> None:
        """Make one Flatten per part."""
        parts[id(self.node.outputs[0])] = [
            rw.op("Flatten", part, heir=self.node if index == 0 else None, axis=1)
            for index, part in enumerate(parts[id(self.node.inputs[0])])
        ]


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


def constant_axis(node: Node, tensor: Tensor, axis: int) -> int | None:
    """The axis of an operand that lies on ``axis`` of the result; None where it has one element there."""
    if node.op == "BatchNormalization":
        return 0
    rank = node.outputs[0].rank
    if tensor.rank is None or rank is None or tensor.shape is None:
        raise Mismatch(f"{tensor.name!r} has no known shape", node)
    own = axis - (rank - tensor.rank)
    return None if own < 0 or tensor.shape[own] == 1 else own
