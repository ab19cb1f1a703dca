"""Intervals: sums, the unknown."""

from __future__ import annotations

from surgery.cost import Interval


def test_a_sum_adds_the_ends():
    parts = [Interval(1, 2, 3), Interval(10, 20, 40)]
    assert Interval.total(parts) == (11, 22, 43)
    assert parts[0].plus(parts[1]) == (11, 22, 43)


def test_the_larger_of_two_is_taken_end_by_end():
    assert Interval(1, 5, 6).at_least(Interval(2, 3, 9)) == (2, 5, 9)


def test_unknown_is_not_known_and_spoils_a_sum():
    assert not Interval.unknown().known
    assert not Interval.total([Interval(1, 2, 3), Interval.unknown()]).known
