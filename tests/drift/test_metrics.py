"""Metrics against plain formulas, and what is not a plain number."""

from __future__ import annotations

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from surgery.drift import metrics
from surgery.drift.metrics import OutputDrift, Tally, compare

RNG = np.random.default_rng(0)
A = RNG.standard_normal((2, 3, 5, 7)).astype(np.float32)
B = A + RNG.standard_normal(A.shape).astype(np.float32) * 1e-3


def drift(a: np.ndarray, b: np.ndarray) -> OutputDrift:
    return compare([({"y": a}, {"y": b})])["y"].drift()


def test_the_formulas() -> None:
    a, b = A.astype(np.float64), B.astype(np.float64)
    d = drift(A, B)
    assert d.max_abs == np.abs(a - b).max()
    assert d.rel_to_range == pytest.approx(d.max_abs / (a.max() - a.min()))
    assert d.cosine == pytest.approx((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    assert d.sqnr_db == pytest.approx(10 * np.log10((a * a).sum() / ((a - b) ** 2).sum()))
    assert (d.elements, d.mismatches, d.bit_identical) == (A.size, A.size, False)


def test_the_worst_channel_is_of_axis_1() -> None:
    b = A.copy()
    b[:, 2] += 0.5
    d = drift(A, b)
    assert d.worst_channel == 2
    assert d.worst_rel == pytest.approx(0.5 / np.ptp(A[:, 2].astype(np.float64)), rel=1e-6)
    assert d.worst_cosine < d.cosine < 1


def test_below_rank_3_the_whole_is_one_channel() -> None:
    assert drift(A.reshape(6, 35), B.reshape(6, 35)).worst_channel == 0


def test_blocks_and_samples_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drift(A, B)
    monkeypatch.setattr(metrics, "_BLOCK", 4)
    parts = compare([({"y": A[i : i + 1]}, {"y": B[i : i + 1]}) for i in range(2)])["y"].drift()
    for name, value in whole.document().items():
        assert getattr(parts, name) == pytest.approx(value), name


def test_identical_values_are_told_with_nan_inf_and_minus_zero() -> None:
    a = np.array([np.nan, np.inf, 0.0, 1.0], np.float32)
    d = drift(a, np.array([np.nan, np.inf, -0.0, 1.0], np.float32))
    assert d.bit_identical
    assert d.max_abs == 0
    assert d.cosine == 1
    assert d.nonfinite == 2
    assert d.document()["sqnr_db"] is None


@pytest.mark.parametrize(("x", "y"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, -np.inf), (np.inf, 1.0)])
def test_a_value_that_stops_being_finite_is_infinitely_far(x: float, y: float) -> None:
    d = drift(np.array([x, 1.0], np.float32), np.array([y, 1.0], np.float32))
    assert d.max_abs == math.inf
    assert d.mismatches == 1
    assert math.isnan(d.cosine)
    json.dumps(d.document(), allow_nan=False)


def test_a_constant_channel_has_the_smallest_scale() -> None:
    assert drift(np.ones(4, np.float32), np.ones(4, np.float32) + np.float32(1e-3)).worst_rel == pytest.approx(
        1e3, rel=1e-3
    )


def test_a_silent_channel_that_speaks_has_no_cosine() -> None:
    assert drift(np.zeros(4, np.float32), np.ones(4, np.float32)).cosine == 0


@pytest.mark.parametrize(
    "dtype", [np.int64, np.uint8, np.bool_, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn]
)
def test_every_dtype_is_compared(dtype: type) -> None:
    a: np.ndarray[Any, Any] = np.array([0, 1, 1, 0]).astype(dtype)
    assert drift(a, a.copy()).bit_identical
    assert drift(a, a[::-1].copy()).mismatches == 0
    assert drift(a, np.array([1, 1, 1, 0]).astype(dtype)).mismatches == 1


def test_strings_are_counted() -> None:
    assert drift(np.array(["a", "b"], object), np.array(["a", "c"], object)).mismatches == 1


def test_scalars_and_empty_arrays() -> None:
    assert drift(np.array(np.nan, np.float32), np.array(np.nan, np.float32)).bit_identical
    assert drift(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32)).bit_identical


@pytest.mark.parametrize(
    ("other", "problem"),
    [(A.astype(np.float64), "dtype float64"), (A[:1], "shape 1x3x5x7 in place of 2x3x5x7"), (None, "only one")],
)
def test_what_cannot_be_compared_says_why(other: np.ndarray | None, problem: str) -> None:
    tally = Tally("y")
    tally.add(A, other)
    assert tally.drift().problem is not None
    assert problem in str(tally.drift().problem)
    assert not tally.drift().bit_identical


def test_samples_of_different_sizes_keep_their_channels_apart() -> None:
    tally = compare([({"y": A}, {"y": A}), ({"y": A[:, :2]}, {"y": A[:, :2]})])["y"]
    assert sorted(tally.channels) == [2, 3]
