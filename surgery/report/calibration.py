"""``surgery.calibration/1``: coefficients refined by a user's own measurements, and what that does to the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from surgery.report.base import Document, Part, Text, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from surgery.cost.calibrate import Calibration, Measured


class RefinedPart(Part):
    """One coefficient: the factor to the shipped value, the new spread, and whether it was identified at all."""

    name: str
    factor: float
    low: float
    high: float
    identified: bool


class MeasuredPart(Part):
    """One measurement: milliseconds, the shipped estimate, and by coefficients of all the others (leave one out).

    ``source`` is who measured: a board, or the vendor's toolchain, whose time is itself a prediction.
    """

    model: Text
    figure: Literal["bpu_ms", "latency_ms"]
    measured: float
    shipped: float
    left_out: float
    source: Literal["board", "toolchain"] = "board"


class CalibrationDocument(Document):
    """The calibration of a march: ``written`` are the files to give to ``--march`` from now on."""

    kind: Literal["surgery.calibration/1"] = schema("surgery.calibration/1")
    march: str
    measurements: tuple[MeasuredPart, ...]
    coefficients: tuple[RefinedPart, ...]
    written: tuple[Text, ...] = ()

    def errors(self, by: Literal["shipped", "left_out"]) -> list[float]:
        """Absolute relative errors in percent, smallest first."""
        return sorted(100 * abs(getattr(one, by) / one.measured - 1) for one in self.measurements)


def calibration_document(march: str, measured: Sequence[Measured], found: Calibration) -> CalibrationDocument:
    """The document of a calibration."""
    rows = zip(measured, found.after, strict=True)
    return CalibrationDocument(
        march=march,
        measurements=tuple(
            MeasuredPart(
                model=item.model,
                figure=item.figure,
                measured=item.ms,
                shipped=item.estimated,
                left_out=item.ms * (1 + after / 100),
                source=item.source,
            )
            for item, after in rows
        ),
        coefficients=tuple(
            RefinedPart(
                name=one.name, factor=one.factor, low=one.spread[0], high=one.spread[1], identified=one.identified
            )
            for one in found.refined
        ),
    )
