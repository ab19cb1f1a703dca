"""``surgery.diff/1``: how far the numbers of two models are apart, output by output and value by value."""

from __future__ import annotations

from typing import Literal

from surgery.report.base import Document, ModelRef, Number, Part, Text, schema


class ValueDrift(Part):
    """One value of both models over all samples.

    ``rel_to_range`` is the largest difference over the value's own range, ``sqnr_db`` signal over difference;
    ``mismatches`` counts unequal elements of integer and boolean values. Metrics without meaning are None.
    """

    name: Text
    max_abs: Number
    rel_to_range: Number
    cosine: Number
    sqnr_db: Number
    bit_identical: bool
    mismatches: int | None = None


class DiffDocument(Document):
    """The drift between ``model``, the reference, and ``candidate``; ``taps`` are internal values of one name."""

    kind: Literal["surgery.diff/1"] = schema("surgery.diff/1")
    model: ModelRef | None = None
    candidate: ModelRef | None = None
    samples: int
    inputs: Text = ""
    outputs: tuple[ValueDrift, ...]
    taps: tuple[ValueDrift, ...] = ()
    first_bad: Text | None = None
