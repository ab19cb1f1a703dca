"""The efficiency of a model's convolutions, for ``check``: depthwise, grouped, dense, and other numbers of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surgery.cost import NoCoefficients
from surgery.cost.convolutions import convolutions, totals
from surgery.cost.roofline import roof
from surgery.report.base import Part, Span, Text
from surgery.report.text import number, percent
from surgery.report.usage import Ceilings, Efficiency, ceilings, efficiency

if TYPE_CHECKING:
    from surgery.cost.convolutions import Convolution, Total
    from surgery.cost.grouping import Grouping
    from surgery.target import Placement


class GroupingRow(Part):
    """The channels of a layer in so many ``groups``: what that is predicted to take, alone."""

    groups: int
    us: Span
    macs: int
    parameters: int


class ConvolutionRow(Part):
    """One convolution: its form, its work, and what it makes of the march's rates.

    ``parameters`` are weights, biases not counted; ``efficiency`` has shares of the best rates. ``groupings`` is empty
    where there is no estimate on the BPU; ``advice`` is one sentence where more groups are predicted faster.
    """

    name: Text
    op: Text
    device: str
    form: str
    groups: int
    inputs: int
    outputs: int
    kernel: tuple[int, ...]
    macs: int
    parameters: int
    us: Span
    basis: str
    efficiency: Efficiency | None = None
    groupings: tuple[GroupingRow, ...] = ()
    advice: str = ""


class FormTotal(Part):
    """The convolutions of one form on the BPU, their times added up; ``dense_us`` the same with one group each."""

    form: str
    layers: int
    macs: int
    parameters: int
    us: Span
    efficiency: Efficiency | None = None
    dense_us: Span


class ConvolutionPart(Part):
    """The convolutions of a model; nothing, with the ``reason``, where the march has no coefficients."""

    totals: tuple[FormTotal, ...] = ()
    layers: tuple[ConvolutionRow, ...] = ()
    ceilings: Ceilings | None = None
    reason: Text = ""


def convolution_part(placement: Placement, opset: int) -> ConvolutionPart:
    """The convolutions of a placed model of ``opset``."""
    try:
        found, top = convolutions(placement, opset), roof(placement.target)
    except NoCoefficients as error:
        return ConvolutionPart(reason=error.what)
    return ConvolutionPart(
        totals=tuple(map(_total, totals(found, placement.target))),
        layers=tuple(map(_row, found)),
        ceilings=ceilings(top) if top else None,
    )


def _total(found: Total) -> FormTotal:
    return FormTotal(
        form=found.form,
        layers=found.layers,
        macs=found.macs,
        parameters=found.parameters,
        us=Span.of(found.us),
        efficiency=efficiency(found.use),
        dense_us=Span.of(found.dense_us),
    )


def _row(found: Convolution) -> ConvolutionRow:
    node, own = found.cost.node, found.channels
    return ConvolutionRow(
        name=node.name,
        op=node.op,
        device=found.cost.device,
        form=own.form,
        groups=own.groups,
        inputs=own.inputs,
        outputs=own.outputs,
        kernel=own.kernel,
        macs=found.cost.macs,
        parameters=found.parameters,
        us=Span.of(found.cost.us),
        basis=found.cost.basis,
        efficiency=efficiency(found.use),
        groupings=tuple(map(_grouping, found.groupings)),
        advice=_advice(found),
    )


def _grouping(choice: Grouping) -> GroupingRow:
    us = Span.of(choice.us)
    return GroupingRow(groups=choice.groups, us=us, macs=choice.macs, parameters=choice.parameters)


def _advice(found: Convolution) -> str:
    """What the better choice would take, and that it is another function."""
    choice = found.better
    if choice is None:
        return ""
    saved = percent(1 - choice.us.mid / found.cost.us.mid)
    form = "depthwise" if choice.groups == found.channels.inputs else f"in {choice.groups} groups"
    fewer = number(found.parameters / choice.parameters)
    return f"{form} {number(choice.us.mid)} µs, {saved} less for {fewer} times fewer weights: to be trained"
