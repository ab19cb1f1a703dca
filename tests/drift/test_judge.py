"""What each exactness class lets pass, on both sides of every bound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from surgery.drift.judge import Widened, judge
from surgery.drift.metrics import Tally, compare
from surgery.errors import InputError

BASE = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 4, 6)


def tallies(reference: np.ndarray, candidate: np.ndarray) -> dict[str, Tally]:
    return compare([({"y": reference}, {"y": candidate})])


def moved(by: float, channel: int = 1) -> np.ndarray:
    """BASE with one channel moved by a part of that channel's range."""
    result = BASE.astype(np.float64)
    result[:, channel] += by * np.ptp(result[:, channel])
    return result.astype(np.float32)


def test_exact_takes_equal_bits_only() -> None:
    assert judge("exact", tallies(BASE, BASE.copy())).ok
    assert not judge("exact", tallies(BASE, np.nextafter(BASE, 2).astype(np.float32))).ok
    assert not judge("exact", tallies(BASE, BASE.astype(np.float64))).ok
    assert not judge("exact", tallies(BASE, BASE.reshape(4, 6))).ok


def test_rounding_is_judged_per_channel() -> None:
    assert judge("rounding", tallies(BASE, moved(0.9e-4))).ok
    verdict = judge("rounding", tallies(BASE, moved(1.2e-4)))
    assert not verdict.ok
    assert verdict.output == "y"
    assert "channel 1 differs by" in verdict.reason
    assert verdict.worst == pytest.approx(1.2e-4, rel=1e-2)


def test_own_noise_widens_the_bound_of_its_channel_and_says_so() -> None:
    noise = tallies(BASE, moved(1e-3))
    verdict = judge("rounding", tallies(BASE, moved(7.5e-3)), noise)
    assert verdict.ok
    assert [w.channels for w in verdict.widened] == [1]
    assert verdict.widened[0].bound == pytest.approx(8e-3, rel=1e-2)
    assert not judge("rounding", tallies(BASE, moved(8.5e-3)), noise).ok
    assert not judge("rounding", tallies(BASE, moved(1e-3, channel=2)), noise).ok


def test_noise_widens_nothing_for_exact() -> None:
    noise = tallies(BASE, moved(1e-3))
    assert not judge("exact", tallies(BASE, moved(1e-4)), noise).ok


def test_small_noise_is_not_reported() -> None:
    assert judge("rounding", tallies(BASE, BASE.copy()), tallies(BASE, moved(1e-6))).widened == ()


def test_integers_mismatch_no_more_than_under_noise() -> None:
    whole = np.arange(6)
    one, two = whole.copy(), whole.copy()
    one[0], two[:2] = 9, 9
    assert not judge("rounding", tallies(whole, one)).ok
    assert judge("rounding", tallies(whole, one), tallies(whole, one)).ok
    verdict = judge("rounding", tallies(whole, two), tallies(whole, one))
    assert not verdict.ok
    assert "2 of 6 elements differ, own noise changes 1" in verdict.reason
    assert verdict.widened == (Widened("y", 1.0, 1),)


def test_a_nan_that_appears_breaks_rounding() -> None:
    broken = BASE.copy()
    broken[0, 0, 0] = np.nan
    assert not judge("rounding", tallies(BASE, broken)).ok
    assert judge("rounding", tallies(broken, broken.copy())).ok


def test_a_shape_that_noise_changes_too_cannot_be_judged_and_is_reported() -> None:
    shorter = tallies(BASE, BASE[:, :, :3])
    assert not judge("rounding", shorter).ok
    verdict = judge("rounding", shorter, shorter)
    assert verdict.ok
    assert verdict.widened[0].bound == math.inf


@pytest.mark.parametrize(
    ("budget", "ok"),
    [
        ({"cosine": 0.999}, True),
        ({"cosine": 0.9999999}, False),
        ({"rel_to_range": 0.02}, True),
        ({"rel_to_range": 0.005}, False),
        ({"max_abs": 1.0, "sqnr_db": 80.0}, False),
        ({"mismatches": 5}, False),
    ],
)
def test_approximate_is_held_to_its_budget(budget: dict[str, float], ok: bool) -> None:
    assert judge("approximate", tallies(BASE, moved(0.01)), budget=budget).ok is ok


def test_a_budget_holds_per_channel() -> None:
    big = np.ones((1, 2, 50), np.float32) * np.array([[[100.0], [0.01]]], np.float32)
    blind = big.copy()
    blind[:, 1] *= -1
    assert tallies(big, blind)["y"].drift().cosine > 0.999
    assert not judge("approximate", tallies(big, blind), budget={"cosine": 0.999}).ok


def test_an_unknown_metric_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean cosine"):
        judge("approximate", tallies(BASE, BASE), budget={"cosin": 0.9})


def test_approximate_needs_a_budget() -> None:
    with pytest.raises(InputError, match="needs a budget"):
        judge("approximate", tallies(BASE, BASE))
