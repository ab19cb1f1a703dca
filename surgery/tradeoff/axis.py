"""One thing that may be chosen: an option of a pass, or whether the pass is there at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator

Choice: TypeAlias = "dict[str, Any]"
"""Chosen values by ``PASS.FIELD``, and by ``PASS`` whether it is there."""


class Range(BaseModel):
    """Numbers from ``low`` to ``high``, both included: whole ones, those ``step`` apart, or any.

    ``log`` draws evenly over the logarithm. Integers without a step are one apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low {self.low} has to be below high {self.high}, and both finite")
        if self.step is not None and (self.log or not self.step > 0 or not math.isfinite(self.step)):
            raise ValueError("step is a positive number, and not for a logarithm")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithm begins above 0, not at {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))

    @property
    def points(self) -> Sequence[int | float] | None:
        """Every number of it; None when these are any between its ends."""
        if self.whole:
            return range(int(self.low), int(self.high) + 1, int(self.step or 1))
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9)
        return [round(self.low + i * self.step, 12) for i in range(count + 1)]


@dataclass(frozen=True)
class Axis:
    """What may be chosen under one name.

    Attributes:
        name: ``PASS.FIELD``, or ``PASS`` for whether it is there.
        values: in the order they are tried.
    """

    name: str
    values: tuple[Any, ...] | Range

    @property
    def owner(self) -> str:
        """The pass, by its id in the pipeline."""
        return self.name.partition(".")[0]

    @property
    def toggles(self) -> bool:
        """Whether it says that a pass is there."""
        return "." not in self.name

    @property
    def points(self) -> Sequence[Any] | None:
        """Every value; None when these are any between two ends."""
        return self.values.points if isinstance(self.values, Range) else self.values

    @property
    def tried(self) -> list[Any]:
        """Values that stand for all when the axis is checked: each, or the ends of a range."""
        if isinstance(self.values, Range):
            return [self.values.low, self.values.high]
        return list(self.values)

    def matters(self, chosen: Choice) -> bool:
        """Whether it makes a difference beside what is chosen: the options of a pass that is off make none."""
        return self.toggles or bool(chosen.get(self.owner, True))
