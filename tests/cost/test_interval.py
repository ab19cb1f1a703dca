"""Intervals: sums, the unknown."""

from __future__ import annotations

from surgery.cost import Interval


def test_a_sum_adds_the_ends():
    parts = [Interval(1, 2, 3), Interval(10, 20, 40)]
    assert Interval.total(parts) == (11, 22, 43)
    assert parts[0].plus(parts[1]) == (11, 22, 43)


def test_unknown_is_not_known_and_spoils_a_sum():
    assert not Interval.unknown().known
    assert not Interval.total([Interval(1, 2, 3), Interval.unknown()]).known


def test_errors_that_have_nothing_to_do_with_each_other_add_in_squares():
    parts = [Interval(7, 10, 14), Interval(16, 20, 23)]
    assert Interval.independent(parts) == (25, 30, 35)
    assert Interval.independent([]) == (0, 0, 0)


def test_no_interval_is_narrower_than_what_every_estimate_is_off_by():
    assert Interval(9, 10, 20).no_narrower(0.2) == (8, 10, 20)
    assert Interval(1, 10, 11).no_narrower(0.2) == (1, 10, 12)
