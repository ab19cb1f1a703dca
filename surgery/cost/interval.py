"""A number that is not known exactly: low, middle and high."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    """``low <= mid <= high`` in one unit; all three are NaN when nothing is known.

    Sums are of the ends: errors are taken to be fully correlated, the widest honest reading.
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

    def times(self, other: Interval) -> Interval:
        """The product, end by end (nothing negative)."""
        return Interval(self[0] * other[0], self[1] * other[1], self[2] * other[2])

    def at_least(self, other: Interval) -> Interval:
        """The larger of the two, end by end."""
        return Interval(max(self[0], other[0]), max(self[1], other[1]), max(self[2], other[2]))


ZERO = Interval(0.0, 0.0, 0.0)
ONE = Interval(1.0, 1.0, 1.0)
