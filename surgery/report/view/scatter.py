"""Geometry of a scatter of points with intervals: round ticks around what is drawn, places in per cent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surgery.report.text import number
from surgery.report.view.content import Dot, Scatter

MARGIN = 0.04
"""Share of the span of the values that is left free on either side."""


@dataclass(frozen=True)
class Placed:
    """A dot on the page: its middle and the ends of its interval, in per cent from the left and from the top."""

    dot: Dot
    x: float
    y: float
    left: float
    right: float


@dataclass(frozen=True)
class Drawn:
    """A scatter: round values along the axes, the dots, and the line through those of the front."""

    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    dots: tuple[Placed, ...]
    line: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Axis:
    """A linear axis: its ends and its round values."""

    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float]) -> Axis:
        """An axis around ``values``.

        >>> Axis.over([1.0, 3.0]).values
        (1.0, 1.5, 2.0, 2.5, 3.0)
        """
        low, high = min(values), max(values)
        margin = (high - low or abs(high) or 1.0) * MARGIN
        low, high = low - margin, high + margin
        step = _step((high - low) / 5)
        first = math.ceil(low / step - 1e-9)
        count = math.floor(high / step + 1e-9) - first + 1
        return cls(low, high, tuple(round((first + i) * step, 12) for i in range(count)))

    def at(self, value: float) -> float:
        """Where ``value`` is, 0 to 100."""
        return 100.0 * (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and texts of the round values, with as many digits as tell them apart."""
        texts = next(
            (
                found
                for digits in (3, 4, 5, 6, 8)
                if len(set(found := [number(v, digits) for v in self.values])) == len(found)
            ),
            [repr(value) for value in self.values],
        )
        return [(self.at(value), text) for value, text in zip(self.values, texts, strict=True)]


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)


def scatter(block: Scatter) -> Drawn:
    """The geometry of ``block``, what lies on top last."""
    across = Axis.over([end for dot in block.dots for end in (dot.low, dot.x, dot.high)])
    up = Axis.over([dot.y for dot in block.dots])
    dots = [
        Placed(dot, across.at(dot.x), 100.0 - up.at(dot.y), across.at(dot.low), across.at(dot.high))
        for dot in sorted(block.dots, key=lambda dot: dot.kind == "front")
    ]
    line = sorted((placed.x, placed.y) for placed in dots if placed.dot.kind == "front")
    return Drawn(
        across=tuple(across.ticks),
        up=tuple((100.0 - at, text) for at, text in up.ticks),
        dots=tuple(dots),
        line=tuple(line),
    )
