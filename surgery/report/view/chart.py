"""Geometry of the charts: numbers on a page, in per cent of the width, for the templates to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surgery.report.view.content import Bars


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
