"""What every convolution makes of the march, and in how many groups its channels would be served better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surgery.cost.coefficients import rates
from surgery.cost.grouping import CONVOLUTIONS, Channels, Form, Grouping, channels, groupings, parameters
from surgery.cost.interval import Interval
from surgery.cost.nodes import NodeCost, cost_on
from surgery.cost.roofline import Roof, Use, node_use, roof, use_of
from surgery.cost.segments import ON_BPU

if TYPE_CHECKING:
    from surgery.target import Placement, Row, Target


NARROW = 16
"""Channels per group of a 1x1 convolution below which the compiled layer takes up to twenty times what is estimated."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution as it is, and in other groups.

    Attributes:
        cost: of the node.
        channels: what it multiplies.
        parameters: its weights, biases not counted.
        use: what it makes of the march's rates; None where it is not on the BPU.
        groupings: what it costs by number of groups, its own included, fewest first; none off the BPU.
        better: the fastest choice of more groups, if that is faster by more than the estimate of one layer is off by.
            Fewer groups are none: the compiler joins narrow ones itself, and doing it before gains nothing.
    """

    cost: NodeCost
    channels: Channels
    parameters: int
    use: Use | None
    groupings: tuple[Grouping, ...]
    better: Grouping | None

    @property
    def dense(self) -> Grouping | None:
        """The choice of one group; None where it has no time."""
        return next((choice for choice in self.groupings if choice.groups == 1 and choice.us.known), None)


@dataclass(frozen=True, slots=True)
class Total:
    """All convolutions of a form on the BPU.

    Attributes:
        form: what they have in common.
        layers: how many there are.
        macs: their multiply-accumulates.
        parameters: their weights.
        us: their times added up, each as if it were alone.
        use: what they make of the march's rates in that time.
        dense_us: the same times with all channels in one group; unknown where one of them cannot be so.
    """

    form: Form
    layers: int
    macs: int
    parameters: int
    us: Interval
    use: Use | None
    dense_us: Interval


def convolutions(placement: Placement, opset: int) -> tuple[Convolution, ...]:
    """The convolutions of a placed model of ``opset``, in the order of the graph.

    Raises:
        NoCoefficients: the march has none.
    """
    target, top = placement.target, roof(placement.target)
    chosen = (row for row in placement.live if row.node.op in CONVOLUTIONS and row.node.is_onnx)
    return tuple(
        _convolution(row, found, placement, opset, top, rates(target).sheet.layer_error)
        for row in chosen
        if row.device != "folded" and (found := channels(row.node)) is not None
    )


def totals(found: Iterable[Convolution], target: Target) -> tuple[Total, ...]:
    """The forms that are there, those on the BPU whose time is known."""
    chosen, top = [one for one in found if one.cost.device in ON_BPU and one.cost.us.known], roof(target)
    groups = ((form, [one for one in chosen if one.channels.form is form]) for form in Form)
    return tuple(_total(form, some, top) for form, some in groups if some)


def _convolution(
    row: Row, found: Channels, placement: Placement, opset: int, top: Roof | None, error: float
) -> Convolution:
    node, target, device = row.node, placement.target, placement.device
    cost = cost_on(node, row.device, rates(target), device)
    on_bpu = row.device in ON_BPU and cost.us.known
    choices = tuple(groupings(node, target, device, opset)) if on_bpu else ()
    use = node_use(cost, top) if top is not None and on_bpu else None
    return Convolution(cost, found, parameters(node), use, choices, _better(cost, found, choices, error))


def _better(cost: NodeCost, own: Channels, choices: Iterable[Grouping], error: float) -> Grouping | None:
    """The choice to be named; of 1x1 kernels none whose groups are too narrow for the estimate to know."""
    least = cost.us.mid * (1 - error)
    known = (c for c in choices if set(own.kernel) != {1} or min(own.inputs, own.outputs) >= NARROW * c.groups)
    faster = (c for c in known if c.groups > own.groups and c.us.mid < least)
    return min(faster, key=lambda c: c.us.mid, default=None)


def _total(form: Form, some: list[Convolution], top: Roof | None) -> Total:
    us, costs = Interval.total(one.cost.us for one in some), [one.cost for one in some]
    dense = [one.dense for one in some]
    return Total(
        form=form,
        layers=len(some),
        macs=sum(cost.macs for cost in costs),
        parameters=sum(one.parameters for one in some),
        us=us,
        use=None if top is None else use_of(costs, us.mid, top),
        dense_us=Interval.unknown() if None in dense else Interval.total(one.us for one in dense if one is not None),
    )
