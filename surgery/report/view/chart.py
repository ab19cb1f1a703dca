"""Geometry of the charts: numbers on a page, in per cent of the width, for the templates to draw."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from surgery.report.text import amount
from surgery.report.view.content import Bars, Point, Roofline


@dataclass(frozen=True)
class Piece:
    """One part of a stacked bar: where it starts and how wide it is."""

    kind: str
    count: int
    start: float
    width: float


def ticks(highest: float, most: int = 5) -> list[float]:
    """At most ``most`` + 1 round numbers from zero, the last at or above ``highest``.

    >>> ticks(7.3)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)
    return [step * i for i in range(math.ceil(highest / step - 1e-9) + 1)]


def axis(bars: Bars) -> list[float]:
    """The ticks of a chart of intervals."""
    return ticks(max((bar.high for bar in bars.bars), default=0.0))


def pieces(parts: tuple[tuple[str, int], ...]) -> list[Piece]:
    """The parts of a stacked bar that are not empty, in per cent of the whole.

    >>> [(p.kind, p.start, p.width) for p in pieces((("bpu", 3), ("cpu", 0), ("folded", 1)))]
    [('bpu', 0.0, 75.0), ('folded', 75.0, 25.0)]
    """
    total = sum(count for _, count in parts)
    drawn, start = [], 0.0
    for kind, count in parts:
        if count:
            width = 100.0 * count / total
            drawn.append(Piece(kind, count, start, width))
            start += width
    return drawn


@dataclass(frozen=True)
class Mark:
    """A point of a plot: its place from the left and the top, its radius in pixels, what it is, and its numbers."""

    x: float
    y: float
    radius: float
    kind: str
    title: str
    label: str


@dataclass(frozen=True)
class Plot:
    """A roofline: round values along the axes, the ridge, the left end of memory's ceiling, and the points."""

    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    ridge: tuple[float, float]
    left: tuple[float, float]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class _Decades:
    """A logarithmic axis over whole decades."""

    first: int
    last: int

    @classmethod
    def of(cls, values: Iterable[float]) -> _Decades:
        logs = [math.log10(value) for value in values]
        first = math.floor(min(logs))
        return cls(first, max(first + 1, math.ceil(max(logs))))

    def at(self, value: float) -> float:
        return 100.0 * (math.log10(value) - self.first) / (self.last - self.first)

    def ticks(self) -> list[tuple[float, str]]:
        powers = (10.0**power for power in range(self.first, self.last + 1))
        return [(self.at(power), amount(power)) for power in powers]


def plot(roofline: Roofline) -> Plot:
    """The geometry of a roofline over the decades that its points, its ridge and its best rate are in."""
    ridge = roofline.best / roofline.memory
    across = _Decades.of([ridge, *(point.intensity for point in roofline.points)])
    lowest = 10.0**across.first
    up = _Decades.of([roofline.best, *(point.rate for point in roofline.points)])
    begin = max(lowest, 10.0**up.first / roofline.memory)
    return Plot(
        across=tuple(across.ticks()),
        up=tuple((100.0 - at, text) for at, text in up.ticks()),
        ridge=(across.at(ridge), 100.0 - up.at(roofline.best)),
        left=(across.at(begin), 100.0 - up.at(begin * roofline.memory)),
        marks=tuple(_marks(roofline.points, across, up)),
    )


def _marks(points: Iterable[Point], across: _Decades, up: _Decades) -> list[Mark]:
    """The points, the largest below; of those that lie on each other, the first has the numbers of all."""
    placed = [(across.at(p.intensity), 100.0 - up.at(p.rate), p) for p in sorted(points, key=lambda p: -p.share)]
    numbers: dict[tuple[int, int], list[str]] = defaultdict(list)
    for x, y, point in placed:
        if point.number:
            numbers[_cell(x, y)].append(point.number)
    return [
        Mark(x, y, 3.0 + 20.0 * math.sqrt(p.share), p.kind, p.title, ", ".join(numbers.pop(_cell(x, y), ())))
        for x, y, p in placed
    ]


def _cell(x: float, y: float) -> tuple[int, int]:
    return round(x / 2), round(y / 4)
