"""Geometry of a scatter of points with intervals: round ticks around what is drawn, places in per cent."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from surgery.report.text import number
from surgery.report.view.content import Dot, Scatter

MARGIN = 0.04
"""Share of the span of the values that is left free on either side."""
WIDE = 4.0
"""Highest over lowest value from which an axis is logarithmic."""


@dataclass(frozen=True)
class Placed:
    """A dot on the page: its middle and the ends of its interval, in per cent from the left and from the top.

    An interval that goes beyond the axis ends there; ``top`` and ``bottom`` are ``y`` where there is none. Of labels
    that would lie on each other, the first has all.
    """

    dot: Dot
    x: float
    y: float
    left: float
    right: float
    top: float
    bottom: float
    label: str


@dataclass(frozen=True)
class Drawn:
    """A scatter: round values along the axes, the dots, and the line through those of the front."""

    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    dots: tuple[Placed, ...]
    line: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Axis:
    """An axis, linear or logarithmic: its ends and its round values."""

    low: float
    high: float
    values: tuple[float, ...]
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float]) -> Axis:
        """A linear axis around ``values``.

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

    @classmethod
    def fitting(cls, values: Sequence[float]) -> Axis:
        """A logarithmic axis around ``values`` that are far apart, all of them positive; else a linear one.

        >>> Axis.fitting([0.4, 4.0]).values
        (0.5, 1.0, 2.0)
        """
        low, high = min(values), max(values)
        if low <= 0 or high < WIDE * low:
            return cls.over(values)
        margin = (high / low) ** MARGIN
        low, high = low / margin, high * margin
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        round_ = (factor * 10.0**power for power in powers for factor in (1, 2, 5))
        return cls(low, high, tuple(value for value in round_ if low <= value <= high), log=True)

    def at(self, value: float) -> float:
        """Where ``value`` is, 0 to 100; of a logarithmic axis, what is not positive is at its lower end."""
        if not self.log:
            return 100.0 * (value - self.low) / (self.high - self.low)
        return 100.0 * math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)

    def within(self, value: float) -> float:
        """Where ``value`` is, or the end of the axis that it is beyond."""
        return min(100.0, max(0.0, self.at(value)))

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


def _labels(dots: Sequence[Dot], across: Axis, up: Axis) -> dict[Dot, str]:
    cells: dict[tuple[int, int], list[Dot]] = defaultdict(list)
    for dot in dots:
        cells[round(across.at(dot.x) / 4), round(up.at(dot.y) / 6)].append(dot)
    heads = {next((dot for dot in found if dot.label), found[0]): found for found in cells.values()}
    return {dot: ", ".join(d.label for d in heads.get(dot, ()) if d.label) for dot in dots}


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)


def _placed(dot: Dot, across: Axis, up: Axis, label: str) -> Placed:
    low, high = dot.reach or (dot.y, dot.y)
    return Placed(
        dot=dot,
        x=across.at(dot.x),
        y=100.0 - up.at(dot.y),
        left=across.within(dot.low),
        right=across.within(dot.high),
        top=100.0 - up.at(high),
        bottom=100.0 - up.at(low),
        label=label,
    )


def scatter(block: Scatter) -> Drawn:
    """The geometry of ``block``, what lies on top last; the first axis is over the middles of what is drawn."""
    across = Axis.fitting([dot.x for dot in block.dots])
    up = Axis.over([value for dot in block.dots for value in (dot.y, *(dot.reach or ()))])
    labels = _labels(block.dots, across, up)
    ranked = sorted(block.dots, key=lambda dot: dot.kind == "front")
    dots = [_placed(dot, across, up, labels[dot]) for dot in ranked]
    line = sorted((placed.x, placed.y) for placed in dots if placed.dot.kind == "front")
    return Drawn(
        across=tuple(across.ticks),
        up=tuple((100.0 - at, text) for at, text in up.ticks),
        dots=tuple(dots),
        line=tuple(line),
    )
