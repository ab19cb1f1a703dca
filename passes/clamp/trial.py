"""Asking the march about nodes that do not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from passes.clamp.layer import Layer
from passes.clamp.plan import Piece, Plan
from surgery.ir import Constant, Node, Shape, Tensor, Value, Weight
from surgery.rewrite import Context, Mismatch
from surgery.target import Target, Violation

_ANY = {"in_channels", "out_channels", "in_channels_per_group", "out_channels_per_group", "weight_out_channels"}
CHANNELS = {
    "Conv": _ANY | {"kernel_volume", "depth_channels", "in_channels_step", "out_channels_step"},
    "ConvTranspose": _ANY | {"kernel_volume", "phase_kernel_volume"},
    "Gemm": _ANY | {"kernel_volume"},
    "MatMul": {"K", "N"},
}
"""By operator, the limits (by the last part of their id) that a layer comes nearer to when its channels are cut."""


def channel_limits(*ops: str) -> frozenset[str]:
    """The ids of the limits on channels of ``ops``."""
    return frozenset(f"{op}.{name}" for op in ops for name in CHANNELS[op])


class Trial:
    """What a march would say of the nodes that a cut makes; every question raises Mismatch when the answer is no.

    Args:
        ctx: gives the march and the opset.
        root: the node whose cut is tried, named in refusals.
    """

    def __init__(self, ctx: Context, root: Node) -> None:
        if ctx.target is None:
            raise Mismatch("no march is given, so no limit is exceeded", root)
        self.target: Target = ctx.target
        self.opset, self.root = ctx.opset, root

    @property
    def steps(self) -> tuple[int, int]:
        """Channels (in, out) to whose multiples the march fills up its arrays; 1 where that is not known."""
        align = self.target.cost.get("align", {})
        return int(align.get("in_channels", 1)), int(align.get("out_channels", 1))

    def is_over(self, layer: Layer) -> bool:
        """Whether ``layer`` itself exceeds a limit on channels."""
        return any(is_channels(violation) for violation in self._violations(layer.node))

    def products(self, layer: Layer, plan: Plan) -> None:
        """The pieces of ``plan`` keep the limits on channels, and break no other that the whole layer keeps."""
        summed, before = len(plan.inputs) > 1, {v.constraint for v in self._violations(layer.node)}
        for work in plan.distinct():
            piece = Piece(0, work.groups, range(work.inputs), range(work.outputs))
            for violation in self._violations(self._product(layer, piece, summed)):
                if violation.constraint not in before or is_channels(violation):
                    raise Mismatch(f"a part of {_sized(piece)} breaks {violation}", self.root)
        self._pieces_are_operands(layer, plan)
        if len(plan.output_sizes) > 1:
            self._bias_is_constant(layer, plan)
        if summed:
            for size in set(plan.output_sizes):
                part = self._like(layer.y, layer.out_axis, size)
                self._accept(ghost("Add", [part, part], [part]), f"the sum of parts of {size} channels")

    def split(self, tensor: Tensor, axis: int, sizes: Sequence[int]) -> str:
        """The operator that cuts ``tensor``: ``Split``, or ``Slice`` where the march has no such Split."""
        parts = [self._like(tensor, axis, size) for size in sizes]
        inputs: list[Tensor] = [self._like(tensor), *([_ints(sizes)] if self.opset >= 13 else [])]
        attrs = {"axis": axis, **({} if self.opset >= 13 else {"split": list(sizes)})}
        if not self._violations(ghost("Split", inputs, parts, attrs)):
            return "Split"
        bounds = [_ints([0]), _ints([sizes[0]]), _ints([axis])] if self.opset >= 10 else []
        self._accept(ghost("Slice", [self._like(tensor), *bounds], parts[:1]), f"cutting {tensor.name!r}")
        return "Slice"

    def joins(self, value: Value, axis: int, sizes: Sequence[int]) -> bool:
        """Whether the march has the Concat of parts of ``value``."""
        parts = [self._like(value, axis, size) for size in sizes]
        return not self._violations(ghost("Concat", parts, [self._like(value)], {"axis": axis}))

    def copy(self, node: Node, inputs: Sequence[Tensor], output: Shape) -> None:
        """``node`` with other ``inputs`` and another ``output`` shape is legal."""
        made = Value("ghost", node.outputs[0].dtype, output)
        self._accept(ghost(node.op, inputs, [made], node.attrs), f"a part of {node.op} {node.name!r}")

    def flatten(self, node: Node, sizes: Sequence[int], area: int) -> None:
        """A Flatten of every part of what ``node`` flattens, with ``area`` elements per channel, is legal."""
        for size in sorted(set(sizes)):
            x, y = self._like(node.inputs[0], 1, size), self._like(node.outputs[0], 1, size * area)
            self._accept(ghost("Flatten", [x], [y], {"axis": 1}), f"a part of {node.op} {node.name!r}")

    def _accept(self, node: Node, what: str) -> None:
        if found := self._violations(node):
            raise Mismatch(f"{what} breaks {found[0]}", self.root)

    def _violations(self, node: Node) -> tuple[Violation, ...]:
        return self.target.verdict(node, self.opset).violations

    def _product(self, layer: Layer, piece: Piece, summed: bool) -> Node:
        work = piece.work
        x = self._like(layer.x, layer.in_axis, work.groups * work.inputs)
        y = self._like(layer.y, layer.out_axis, work.groups * work.outputs)
        weight = resized(layer.weight, _cut_shape(layer, piece))
        bias = [] if layer.bias is None else [resized(layer.bias, layer.bias.shape)]
        node = ghost(layer.node.op, [x, weight, *bias], [y], layer.attrs(piece))
        ghost("Add" if summed else "Concat", [y, self._like(y)], [self._like(layer.y)])
        return node

    def _pieces_are_operands(self, layer: Layer, plan: Plan) -> None:
        """No piece reads or makes more channels than an operand of Concat may have.

        A toolchain that takes wider convolutions than operands cuts these itself, with a Concat of its own: on
        bernoulli2 5000 channels in two parts take 1479 us by its checker, in three 911, and some sizes do not compile.
        """
        ends = ((layer.x, layer.in_axis, plan.input_sizes), (layer.y, layer.out_axis, plan.output_sizes))
        for tensor, axis, sizes in ends:
            if axis == 1:
                widest = self._like(tensor, axis, max(sizes))
                self._accept(ghost("Concat", [widest], [widest], {"axis": 1}), f"a part of {max(sizes)} channels")

    def _bias_is_constant(self, layer: Layer, plan: Plan) -> None:
        cut = any(layer.bias_cut(row[0]) is not None for row in plan.rows())
        if cut and not isinstance(layer.bias, Constant):
            raise Mismatch("the bias is computed, only a constant one can be cut", self.root)

    def _like(self, tensor: Tensor, axis: int | None = None, size: int = 0) -> Value:
        shape = tensor.shape
        return Value("ghost", tensor.dtype, shape if axis is None else with_size(shape, axis, size))


def is_channels(violation: Violation) -> bool:
    """Whether a limit on channels is broken."""
    op, name = violation.constraint.split(".")[:2]
    return name in CHANNELS.get(op, ())


def ghost(op: str, inputs: Sequence[Tensor], outputs: Sequence[Value], attrs: dict[str, Any] | None = None) -> Node:
    """A node of no graph; its inputs and outputs must be of none, too."""
    return Node(op, "ghost", attrs, inputs, outputs)


def resized(tensor: Tensor, shape: Shape | None) -> Tensor:
    """A stand-in for ``tensor`` in another shape, constant if it is; its bytes are not to be read."""
    if not isinstance(tensor, Constant):
        return Value("ghost", tensor.dtype, shape)
    dims = tuple(d for d in shape or () if isinstance(d, int))
    return Constant("ghost", Weight(tensor.weight.elem_type, dims, tensor.weight.source))


def with_size(shape: Shape | None, axis: int, size: int) -> Shape | None:
    """``shape`` with another size along ``axis``."""
    return None if shape is None else (*shape[:axis], size, *shape[axis + 1 :])


def _cut_shape(layer: Layer, piece: Piece) -> tuple[int, ...]:
    """The shape that the weight of ``piece`` has, found without reading the weight."""
    whole = np.broadcast_to(np.empty((), np.bool_), layer.weight.shape)
    return whole[layer.weight_cut(piece)].shape


def _ints(values: Sequence[int]) -> Constant:
    return Constant("ghost", np.array(values, np.int64))


def _sized(piece: Piece) -> str:
    work = piece.work
    grouped = f"{work.groups} groups of " if work.groups > 1 else ""
    return f"{grouped}{work.inputs} to {work.outputs} channels"
