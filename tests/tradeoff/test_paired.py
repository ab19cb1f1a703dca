"""Two models on the same samples: intervals that hold what they say, against what can be counted out."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from scipy import stats

from surgery.drift.figures import Figure, figures
from surgery.tradeoff.paired import exact, paired


def hits(*values: int) -> Figure:
    return Figure.mean(np.array(values, bool))


def test_right_and_wrong_is_mcnemars_exact_test() -> None:
    found = paired(hits(*[1] * 9, *[0] * 11), hits(*[0] * 9, *[1] * 1, *[0] * 10))
    assert found is not None
    assert (found.method, found.samples, found.difference) == ("mcnemar", 20, pytest.approx(-8 / 20))
    assert found.p == pytest.approx(stats.binomtest(1, 10).pvalue)
    assert found.low < -0.4 < found.high < 0
    assert found.sign == -1


@pytest.mark.parametrize(("up", "down"), [(0, 5), (0, 6), (1, 7), (1, 8), (6, 0), (4, 4), (0, 0)])
def test_the_interval_leaves_0_out_when_the_test_does(up: int, down: int) -> None:
    low, high, p = exact(up, down, 30)
    assert (low > 0 or high < 0) == (p < 0.05)
    assert low <= (up - down) / 30 <= high


@pytest.mark.parametrize("chances", list(itertools.product((0.01, 0.1, 0.3), repeat=2)))
def test_the_interval_holds_the_difference_at_least_as_often_as_it_says(chances: tuple[float, float]) -> None:
    up, down, count = *chances, 16
    held = 0.0
    for a, b in [pair for pair in itertools.product(range(count + 1), repeat=2) if sum(pair) <= count]:
        low, high, _ = exact(a, b, count)
        chance = comb(count, a) * comb(count - a, b) * up**a * down**b * (1 - up - down) ** (count - a - b)
        held += chance * (low <= up - down <= high)
    assert held >= 0.95


def test_no_sample_that_differs_does_not_say_that_none_ever_will() -> None:
    low, high, p = exact(0, 0, 360)
    assert (low, p) == (-high, 1.0)
    assert high == pytest.approx(1 - 0.025 ** (1 / 360))


def test_other_numbers_are_students_paired_t() -> None:
    before, after = [0.1, 0.4, 0.35, 0.8], [0.2, 0.3, 0.55, 0.95]
    found = paired(Figure.mean(np.array(before)), Figure.mean(np.array(after)))
    wanted = stats.ttest_rel(after, before)
    assert found is not None
    assert (found.method, found.p) == ("t", pytest.approx(wanted.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval(0.95)))
    assert found.sign == 0


def test_what_differs_by_the_same_everywhere_is_sure() -> None:
    same = paired(Figure.mean(np.array([0.5, 0.25])), Figure.mean(np.array([0.75, 0.5])))
    assert same is not None
    assert (same.low, same.high, same.p, same.sign) == (0.25, 0.25, 0.0, 1)


@pytest.mark.parametrize(("before", "after"), [((), ()), ((1.0,), (0.0,)), ((1.0, 0.0), ()), ((1.0, 0.0), (1.0,))])
def test_without_two_samples_of_each_nothing_is_said(before: tuple[float, ...], after: tuple[float, ...]) -> None:
    assert paired(Figure(0.5, before), Figure(0.5, after)) is None


def test_the_jackknife_of_a_mean_is_its_samples() -> None:
    rows = np.array([[1.0, 1], [4.0, 1], [7.0, 1]])
    found = Figure.jackknife(rows, lambda sums: sums[..., 0] / sums[..., 1])
    assert found.value == 4.0
    assert found.samples == pytest.approx([1.0, 4.0, 7.0])
    assert Figure.jackknife(rows[:1], lambda sums: sums[..., 0]) == Figure(1.0)


def test_what_an_evaluator_may_return() -> None:
    found = figures({"a": 1, "b": np.array([True, False]), "c": Figure(2.0, (1.0,)), "d": [0.5, 1.0]})
    assert found == {
        "a": Figure(1.0), "b": Figure(0.5, (1.0, 0.0)), "c": Figure(2.0, (1.0,)), "d": Figure(0.75, (0.5, 1.0))
    }  # fmt: skip
    assert figures(0.5) == {"score": Figure(0.5)}
