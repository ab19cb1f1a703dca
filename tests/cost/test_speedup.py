"""Paired speed-up: what is shared cancels."""

from __future__ import annotations

from itertools import product

import pytest

from surgery.cost import speedup
from surgery.cost.speedup import _dot, _groups, _largest
from surgery.target.target import load_target
from tests.cost.make import estimated
from tests.support import model_of

LONG = (
    "g (float[1,32,64,64] x) => (y) { a = Exp(x) b = Neg(a) c = Exp(b) d = Neg(c) e = Exp(d) f = Neg(e) "
    "g = Exp(f) h = Neg(g) i = Exp(h) j = Neg(i) k = Exp(j) l = Neg(k) m = Exp(l) y = Neg(m) }"
)
SHORT = "g (float[1,32,64,64] x) => (y) { a = Exp(x) b = Neg(a) y = Exp(b) }"


def test_the_same_model_is_exactly_as_fast():
    one, other = estimated(model_of(LONG)), estimated(model_of(LONG))
    assert speedup(one, other).interval == pytest.approx((1, 1, 1))


def test_the_middle_is_the_ratio_of_the_middles():
    before, after = estimated(model_of(LONG)), estimated(model_of(SHORT))
    found = speedup(before, after).interval
    assert found.mid == pytest.approx(before.latency_ms.mid / after.latency_ms.mid)
    assert 1 < found.low < found.mid < found.high


def test_the_interval_is_narrower_than_that_of_two_separate_estimates():
    before, after = estimated(model_of(LONG)), estimated(model_of(SHORT))
    found = speedup(before, after).interval
    apart = (before.latency_ms.low / after.latency_ms.high, before.latency_ms.high / after.latency_ms.low)
    assert apart[0] < found.low
    assert found.high < apart[1]


def test_a_cpu_node_less_is_faster_at_every_end():
    before = estimated(model_of(SHORT), {"Neg": "cpu"}, segments=2)
    assert speedup(before, estimated(model_of(SHORT))).interval.low > 1


def test_backwards_is_the_inverse():
    before, after = estimated(model_of(LONG)), estimated(model_of(SHORT))
    there, back = speedup(before, after).interval, speedup(after, before).interval
    assert there.low * back.high == pytest.approx(1)
    assert there.mid * back.mid == pytest.approx(1)


def test_two_marches_have_no_speedup():
    found = speedup(estimated(model_of(LONG)), estimated(model_of(LONG), target=load_target("nash-e")))
    assert found.interval is None
    assert "bayes-e and nash-e" in found.reason


def test_unknown_nodes_must_be_the_same():
    known, unknown = model_of(SHORT), model_of(SHORT.replace("[1,", "[N,"))
    found = speedup(estimated(known), estimated(unknown))
    assert found.interval is None
    assert "without an estimate differ" in found.reason


def test_the_ends_are_the_extremes_over_every_choice_of_factors():
    before, after = estimated(model_of(LONG), {"Neg": "cpu"}, segments=2), estimated(model_of(SHORT))
    groups = _groups(before, after)
    ratios = []
    for corner in product((0, 1), repeat=len(groups)):
        factors = [(g.low, g.high)[side] for g, side in zip(groups, corner, strict=True)]
        ratios.append(_dot([g.before for g in groups], factors) / _dot([g.after for g in groups], factors))
    assert _largest(groups) == pytest.approx(max(ratios))
    found = speedup(before, after).interval
    assert found.low < min(ratios)
    assert found.high > max(ratios)
