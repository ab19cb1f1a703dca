"""A convolution of the same channels in another number of groups, and what that would cost.

More groups are another function, to be trained; fewer can compute the same, with zeros between the groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from math import gcd, prod
from typing import TYPE_CHECKING, NamedTuple

from onnx import TensorProto

from surgery.cost.coefficients import rates
from surgery.cost.interval import Interval
from surgery.cost.links import filters
from surgery.cost.nodes import cost_on
from surgery.cost.segments import ON_BPU, Devices
from surgery.ir.graph import Constant, Node
from surgery.ir.ops import static_shape
from surgery.ir.store import Absent
from surgery.ir.weights import Weight

if TYPE_CHECKING:
    from surgery.target import Target

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
"""The operators that are looked at: those whose multiply-accumulates are counted."""

_LEAST = 3
"""Axes of weights, of which two are of channels."""


class Form(StrEnum):
    """How the channels of a convolution meet: one by one, within groups, all, or all at one place alone."""

    DEPTHWISE = "depthwise"
    GROUPED = "grouped"
    DENSE = "dense"
    POINTWISE = "pointwise"


class Channels(NamedTuple):
    """What a convolution multiplies: channels in and out, groups, and the sides of its kernel."""

    inputs: int
    outputs: int
    groups: int
    kernel: tuple[int, ...]

    @property
    def form(self) -> Form:
        """The form; one channel per group is depthwise however many outputs it has."""
        if self.groups > 1:
            return Form.DEPTHWISE if self.groups == self.inputs else Form.GROUPED
        return Form.POINTWISE if set(self.kernel) == {1} else Form.DENSE

    @property
    def choices(self) -> tuple[int, ...]:
        """Numbers of groups to compare: powers of two that fit, depthwise where it fits, and the number it has.

        >>> Channels(24, 48, 3, (3, 3)).choices
        (1, 2, 3, 4, 8, 24)
        """
        both = gcd(self.inputs, self.outputs)
        powers = {1 << n for n in range(both.bit_length()) if both % (1 << n) == 0}
        return tuple(sorted(powers | {self.groups} | ({self.inputs} if both == self.inputs else set())))


class Grouping(NamedTuple):
    """One choice: groups, microseconds (NaN where there is no estimate), multiply-accumulates, and weights."""

    groups: int
    us: Interval
    macs: int
    parameters: int


def channels(node: Node) -> Channels | None:
    """The channels of a convolution; None where its weights are not of a known shape."""
    shape, groups = static_shape(filters(node)), int(node.attrs.get("group", 1))
    if shape is None or len(shape) < _LEAST or 0 in shape:
        return None
    first, second = shape[0], shape[1] * groups
    inputs, outputs = (first, second) if node.op == "ConvTranspose" else (second, first)
    return Channels(inputs, outputs, groups, shape[2:])


def groupings(node: Node, target: Target, device: Devices, opset: int) -> Iterator[Grouping]:
    """What ``node`` costs by number of groups, its own included; without those that ``target`` keeps off the BPU.

    Args:
        node: a convolution on the BPU.
        target: the march, which has coefficients.
        device: where the nodes of its graph run.
        opset: of the model.
    """
    own = channels(node)
    for groups in own.choices if own else ():
        other = node if own and groups == own.groups else regrouped(node, groups)
        if other is node or target.verdict(other, opset).device in ON_BPU - {"refused"}:
            cost = cost_on(other, device(node), rates(target), device)
            yield Grouping(groups, cost.us, cost.macs, parameters(other))


def parameters(node: Node) -> int:
    """Weights of a convolution, biases not counted; 0 where their shape is not known."""
    return prod(static_shape(filters(node)) or (0,))


def regrouped(node: Node, groups: int) -> Node:
    """``node`` with its channels in ``groups``, its weights of a shape alone: nothing can read them.

    It stands in the same place, and the graph does not know of it: what ``node`` reads and computes is not told.
    """
    first, second, *kernel = static_shape(filters(node)) or ()
    shape = (first, second * int(node.attrs.get("group", 1)) // groups, *kernel)
    other = Node(node.op, node.name, {**node.attrs, "group": groups}, domain=node.domain)
    weight = Constant(filters(node).name, Weight(TensorProto.FLOAT, shape, Absent("", 4 * prod(shape))))
    list.extend(other.inputs, (node.inputs[0], weight, *node.inputs[2:]))
    list.extend(other.outputs, node.outputs)
    other.graph, other.position = node.graph, node.position
    return other
