"""How far one value of two models is apart, as it stands in documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from surgery.report.base import Number, Part, Text

if TYPE_CHECKING:
    from surgery.drift.metrics import OutputDrift


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


def value_drifts(values: Iterable[OutputDrift]) -> tuple[ValueDrift, ...]:
    """The figures of several values."""
    return tuple(ValueDrift(**value.document()) for value in values)
