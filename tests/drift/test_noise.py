"""One ulp on every weight, and on nothing else."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from surgery.drift.noise import nudge, one_ulp, shaping_constants
from tests.support import model_of


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_each_element_goes_to_a_neighbour(dtype: type) -> None:
    old: np.ndarray[Any, Any] = np.random.default_rng(1).standard_normal((33, 3)).astype(dtype)
    new = nudge(old, 0)
    assert new.dtype == old.dtype
    assert new.shape == old.shape
    up, down = np.nextafter(old, np.array(np.inf, dtype)), np.nextafter(old, np.array(-np.inf, dtype))
    assert ((new == up) | (new == down)).all()
    assert (new == up).any()
    assert (new == down).any()


def test_zeros_and_the_ends_of_the_range_stay() -> None:
    old = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(nudge(old, 0), old)
    largest = np.full(64, np.finfo(np.float32).max)
    assert np.isfinite(nudge(largest, 0)).all()


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, ml_dtypes.float8_e4m3fn, ml_dtypes.int4])
def test_other_types_stay(dtype: type) -> None:
    old: np.ndarray[Any, Any] = np.ones(4).astype(dtype)
    assert nudge(old, 0) is old


def test_seed_and_name_decide_the_direction() -> None:
    model = model_of("g (float[64] x) => (float[64] y) { y = Relu(x) }")
    array = np.ones(64, np.float32)
    moves = {name: one_ulp(model, seed)(name, array).tobytes() for seed, name in [(0, "a"), (0, "b")]}
    assert moves["a"] == one_ulp(model, 0)("a", array).tobytes()
    assert len({*moves.values(), one_ulp(model, 1)("a", array).tobytes()}) == 3


def test_the_scales_of_a_resize_stay() -> None:
    model = model_of(
        """g (float[1,1,4,4] x) => (float[1,1,8,8] y)
        <float[0] roi = {}, float[4] scales = {1, 1, 2, 2}> { y = Resize(x, roi, scales) }"""
    )
    assert "scales" in shaping_constants(model)
    scales = np.array([1, 1, 2, 2], np.float32)
    assert one_ulp(model)("scales", scales) is scales
