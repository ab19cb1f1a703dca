"""A number that is not known exactly: low, middle and high."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    """``low <= mid <= high`` in one unit; all three are NaN when nothing is known.

    Sums are of the ends, as where one error moves all parts; :meth:`independent` adds parts that err each for itself.
    """

    low: float
    mid: float
    high: float

    @classmethod
    def unknown(cls) -> Interval:
        """The interval of a quantity nobody can state."""
        return cls(math.nan, math.nan, math.nan)

    @classmethod
    def total(cls, parts: Iterable[Interval]) -> Interval:
        """The sum of ``parts``, each of them known."""
        low = mid = high = 0.0
        for part in parts:
            low, mid, high = low + part[0], mid + part[1], high + part[2]
        return cls(low, mid, high)

    @classmethod
    def independent(cls, parts: Iterable[Interval]) -> Interval:
        """The sum of ``parts``, each of them known, whose errors are independent: they add in squares.

        >>> Interval.independent([Interval(1, 4, 8), Interval(2, 6, 9)])
        Interval(low=5.0, mid=10, high=15.0)
        """
        chosen = list(parts)
        mid = sum(part[1] for part in chosen)
        down, up = (math.hypot(*(part[1] - part[end] for part in chosen)) for end in (0, 2))
        return cls(mid - down, mid, mid + up)

    @property
    def known(self) -> bool:
        """Whether the middle is a number."""
        return self.mid == self.mid

    def plus(self, other: Interval) -> Interval:
        """The sum, end by end."""
        return Interval(self[0] + other[0], self[1] + other[1], self[2] + other[2])

    def scaled(self, factor: float) -> Interval:
        """Every end times ``factor`` (not negative)."""
        return Interval(self[0] * factor, self[1] * factor, self[2] * factor)

    def no_narrower(self, error: float) -> Interval:
        """The same with each end at least the share ``error`` (0..1) of the middle away from it."""
        return Interval(min(self[0], self[1] * (1 - error)), self[1], max(self[2], self[1] * (1 + error)))

    def times(self, other: Interval) -> Interval:
        """The product, end by end (nothing negative)."""
        return Interval(self[0] * other[0], self[1] * other[1], self[2] * other[2])


ZERO = Interval(0.0, 0.0, 0.0)
ONE = Interval(1.0, 1.0, 1.0)
