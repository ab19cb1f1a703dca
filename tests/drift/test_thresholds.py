"""How far values reach, by each method."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.drift.thresholds import PERCENTILE, Method, thresholds
from surgery.errors import InputError
from surgery.ir import Value
from tests.support import model_of

TEXT = "g (float[1,4,50,50] x) => (float[1,4,50,50] y) { a = Neg(x) b = Abs(a) y = Sqrt(b) }"


def found(samples, method=Method.MAX, **options):
    model = model_of(TEXT)
    values = [
        v for v in (*model.graph.inputs, *(v for n in model.graph.nodes for v in n.outputs)) if isinstance(v, Value)
    ]
    return thresholds(model, values, samples, method, **options)


def outliers():
    data = np.random.default_rng(0).normal(size=(1, 4, 50, 50)).astype(np.float32)
    data.flat[7] = -1000
    return {"x": data}


def test_the_largest_magnitude_of_all_samples():
    one, two = (np.full((1, 4, 50, 50), value, np.float32) for value in (-9, 4))
    assert found([{"x": one}, {"x": two}]) == {"x": 9, "a": 9, "b": 9, "y": 3}


def test_a_batch_of_values_at_a_time_gives_the_same():
    assert found([outliers()], batch_bytes=1) == found([outliers()])


def test_a_percentile_leaves_the_outlier_out():
    sample = outliers()
    expected = np.percentile(np.abs(sample["x"]), PERCENTILE)
    assert found([sample], Method.PERCENTILE)["a"] == pytest.approx(expected)
    assert found([sample])["a"] == 1000


def test_the_least_divergence_leaves_the_outlier_out_and_prints_nothing(capsys):
    assert 2 < found([outliers()], Method.KL)["a"] < 200
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("method", Method)
def test_zeros_have_no_scale(method):
    assert found([{"x": np.zeros((1, 4, 50, 50), np.float32)}], method) == {"x": 0, "a": 0, "b": 0, "y": 0}


def test_what_is_not_finite_is_refused_by_name():
    with pytest.raises(InputError, match="'x' is not finite on the samples"):
        found([{"x": np.full((1, 4, 50, 50), np.inf, np.float32)}])
