"""``surgery.host/1``: what host code reads and computes, for programs and people that feed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from surgery.host.program import Program, readers
from surgery.host.quantise import QUANTISE
from surgery.host.step import Slot, Step
from surgery.report.base import Document, ModelRef, Part, Text, schema

if TYPE_CHECKING:
    from surgery.pipeline.heads import Head


class Quantisation(Part):
    """``real = (integer - zero_points) * scales``, per element of ``axis`` where there is more than one."""

    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None


class Port(Part):
    """A tensor that host code takes or gives.

    ``argument`` is the place among the C++ function's arguments; None for one that goes through as it is.
    """

    name: Text
    argument: int | None = None
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    quantisation: Quantisation | None = None


class Operation(Part):
    """One operator that moved to the host."""

    op: Text
    name: Text


class SideDocument(Part):
    """What is done before or after the model; ``moves`` says that no value is changed, only its place."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    steps: tuple[Operation, ...]
    moves: bool


class HeadPart(Part):
    """One tensor of a head: what it holds, at which stride of the picture, and in which layout."""

    tensor: Text
    role: str
    stride: int | None
    layout: str | None


class HeadDocument(Part):
    """A head that was cut: what decoding it takes; None where the graph does not say.

    ``anchors`` are widths and heights in pixels of the picture, per stride in the order of the parts.
    """

    family: str
    parts: tuple[HeadPart, ...]
    classes: int | None = None
    reg_max: int | None = None
    anchors: tuple[tuple[tuple[float, float], ...], ...] = ()


class HostDocument(Document):
    """The manifest beside the generated files; ``detect`` says that they decode places over a threshold, too."""

    kind: Literal["surgery.host/1"] = schema("surgery.host/1")
    model: ModelRef
    march: str
    opset: int
    python: str
    cpp: str
    namespace: str
    prologue: SideDocument
    epilogue: SideDocument
    heads: tuple[HeadDocument, ...] = ()
    detect: bool = False


def side_document(program: Program) -> SideDocument:
    """What the manifest says of a program."""
    passed = [Port(name=name) for name in program.passed]
    count = len(program.inputs)
    return SideDocument(
        inputs=(*(_port(s, i, _dequantised(program, s)) for i, s in enumerate(program.inputs)), *passed),
        outputs=(*(_port(s, count + i, _quantised(program, s)) for i, s in enumerate(program.outputs)), *passed),
        steps=tuple(Operation(op=step.node.op, name=step.node.name) for step in program.steps),
        moves=program.moves,
    )


def head_documents(heads: Sequence[Head]) -> tuple[HeadDocument, ...]:
    """What the manifest says of heads."""
    return tuple(
        HeadDocument(
            family=head.family,
            parts=tuple(HeadPart(**vars(part)) for part in head.parts),
            classes=head.classes,
            reg_max=head.reg_max,
            anchors=head.anchors,
        )
        for head in heads
    )


def _port(slot: Slot, argument: int, quantisation: Quantisation | None) -> Port:
    return Port(
        name=slot.name, argument=argument, dtype=slot.dtype.name, shape=slot.shape, quantisation=quantisation
    )  # fmt: skip


def _dequantised(program: Program, slot: Slot) -> Quantisation | None:
    steps = (step for step in readers(program, slot) if step.node.op == "DequantizeLinear" and step.x is slot)
    return _quantisation(next(steps, None), slot)


def _quantised(program: Program, slot: Slot) -> Quantisation | None:
    steps = (step for step in program.steps if step.node.op == "QuantizeLinear" and step.y is slot)
    return _quantisation(next(steps, None), slot)


def _quantisation(step: Step | None, slot: Slot) -> Quantisation | None:
    """The parameters of a step of :data:`QUANTISE`, where they are constants."""
    if step is None or step.node.op not in QUANTISE:
        return None
    scale, zero = step.need(1), step.given(2)
    if scale.values is None or (zero is not None and zero.values is None):
        return None
    scales = np.asarray(scale.values).reshape(-1).tolist()
    zeros = [0] * len(scales) if zero is None else np.asarray(zero.values).reshape(-1).tolist()
    axis = step.axis(1) if len(scales) > 1 else None
    return Quantisation(dtype=slot.dtype.name, scales=tuple(scales), zero_points=tuple(zeros), axis=axis)
