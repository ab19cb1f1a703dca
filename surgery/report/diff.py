"""``surgery.diff/1``: how far the numbers of two models are apart, output by output and value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from surgery.report.base import Document, ModelRef, Part, Text, schema
from surgery.report.simulated import SimulatedDiff
from surgery.report.value import ValueDrift, value_drifts
from surgery.report.witness import WitnessDiff

if TYPE_CHECKING:
    from surgery.drift.taps import Drift
    from surgery.ir import Model


class FirstBad(Part):
    """The first value, in the order of the reference, that moved by more than rounding, and its node."""

    name: Text
    node: Text
    op: Text
    reason: Text


class DiffDocument(Document):
    """The drift between ``model``, the reference, and ``candidate``; ``taps`` are internal values of one name."""

    kind: Literal["surgery.diff/1"] = schema("surgery.diff/1")
    model: ModelRef | None = None
    candidate: ModelRef | None = None
    samples: int
    inputs: Text = ""
    outputs: tuple[ValueDrift, ...]
    taps: tuple[ValueDrift, ...] = ()
    first_bad: FirstBad | None = None
    notes: tuple[Text, ...] = ()
    int8: SimulatedDiff | None = None
    witness: WitnessDiff | None = None


def diff_document(reference: Model, candidate: Model, drift: Drift, inputs: str) -> DiffDocument:
    """The document of a comparison; ``inputs`` says in words what was run."""
    bad = drift.first_bad
    return DiffDocument(
        model=ModelRef.of(reference),
        candidate=ModelRef.of(candidate),
        samples=drift.samples,
        inputs=inputs,
        outputs=value_drifts(drift.outputs),
        taps=value_drifts(drift.taps),
        first_bad=FirstBad(name=bad.name, node=bad.node, op=bad.op, reason=bad.reason) if bad else None,
        notes=tuple(drift.notes),
    )
