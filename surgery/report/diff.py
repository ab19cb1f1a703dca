"""``surgery.diff/1``: how far the numbers of two models are apart, output by output and value by value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from surgery.report.base import Document, ModelRef, Number, Part, Text, schema

if TYPE_CHECKING:
    from surgery.drift.metrics import OutputDrift
    from surgery.drift.taps import Drift
    from surgery.ir import Model


class ValueDrift(Part):
    """One value of both models over all samples.

    ``rel_to_range`` is the largest difference over the value's own range, ``sqnr_db`` signal over difference;
    ``worst_rel`` and ``worst_cosine`` are those of the worst channel (axis 1), ``worst_channel`` its index;
    ``problem`` says why the values cannot be compared. Metrics that are not finite are None.
    """

    name: Text
    max_abs: Number
    rel_to_range: Number
    cosine: Number
    sqnr_db: Number
    bit_identical: bool
    mismatches: int = 0
    elements: int = 0
    nonfinite: int = 0
    worst_channel: int = 0
    worst_rel: Number = None
    worst_cosine: Number = None
    problem: Text | None = None


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


def value_drifts(values: Iterable[OutputDrift]) -> tuple[ValueDrift, ...]:
    """The figures of several values."""
    return tuple(ValueDrift(**value.document()) for value in values)


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
