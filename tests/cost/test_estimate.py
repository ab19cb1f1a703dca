"""Totals: BPU time, latency, segments, and what is left out."""

from __future__ import annotations

import pytest

from surgery.cost import Interval, estimate
from surgery.cost.coefficients import rates
from surgery.cost.interval import ZERO
from surgery.ir import Model
from surgery.target.place import place
from surgery.target.registry import march_names
from surgery.target.target import load_target
from tests.cost.make import X5, estimated
from tests.support import SHARED, model_of

CHAIN = "g (float[1,3,64,64] x) => (y) { a = Exp(x) b = Neg(a) y = Exp(b) }"


def test_totals_are_sums():
    found = estimated(model_of(CHAIN))
    parts = found.overlap * sum(c.us.mid for c in found.nodes) + found.segment.mid
    assert 0 < found.overlap <= 1
    assert found.bpu_ms.mid == pytest.approx(parts / 1000)
    host = sum(t.us.mid for t in found.transfers) + sum(us.mid for _, us in found.host)
    assert found.latency_ms.mid == pytest.approx((parts + host) / 1000)
    assert found.complete
    assert {name: us.mid for name, us in found.host} == {"submit": pytest.approx(362.1), "resubmit": 0}
    assert found.march == "bayes-e"


def test_the_compiler_counts_no_start_of_segments():
    found = estimated(model_of(CHAIN), segments=3)
    start, ends = rates(X5).segment.of(3), rates(X5).ends.scaled(3)
    assert found.compiler_ms.mid + start.mid / 1000 == pytest.approx(found.bpu_ms.mid)
    assert found.segment.mid == pytest.approx(start.mid + ends.mid)
    assert ends.mid > 0


def test_the_compiler_is_better_known_than_a_board():
    found, sheet = estimated(model_of(CHAIN)), rates(X5).sheet
    counted, board = found.compiler_ms, found.bpu_ms
    sure = counted.mid * sheet.compiler_error
    assert 0 < sure <= min(counted.mid - counted.low, counted.high - counted.mid)
    assert board.high - board.low > counted.high - counted.low
    assert found.segment.mid > 0


def test_a_cpu_node_counts_for_latency_alone():
    found = estimated(model_of(CHAIN), {"Neg": "cpu"}, segments=2)
    assert found.bpu_ms.mid == pytest.approx(
        (found.overlap * sum(c.us.mid for c in found.nodes if c.device == "bpu") + found.segment.mid) / 1000
    )
    assert dict(found.host)["resubmit"].mid > 0


def test_every_further_segment_costs():
    one, three = (estimated(model_of(CHAIN), segments=n) for n in (1, 3))
    of_segment = (rates(X5).segment.us.mid + rates(X5).ends.mid) * 1e-3
    assert three.latency_ms.mid - one.latency_ms.mid == pytest.approx(2 * (0.25 + of_segment))


def test_without_a_segment_nothing_is_submitted():
    found = estimated(model_of(CHAIN), {"Exp": "cpu", "Neg": "cpu"}, segments=0)
    assert found.host == ()
    assert found.bpu_ms.mid == 0


def test_undecided_nodes_join_their_neighbours_segments():
    sure = estimated(model_of(CHAIN))
    unsure = estimated(model_of(CHAIN), {"Neg": "unknown"}, segments=2)
    assert unsure.latency_ms == sure.latency_ms
    assert [c.node.op for c in unsure.assumed] == ["Neg"]


def test_nodes_without_an_estimate_are_left_out_and_named():
    found = estimated(model_of("g (float[N,8] x) => (y) { y = Exp(x) }"))
    assert ["is symbolic" in c.reason for c in found.unknown] == [True]
    assert not found.complete
    assert found.latency_ms.known


WEIGHTLESS = "latency/mobilenetv4_conv_small.onnx"


@pytest.mark.shared
@pytest.mark.parametrize("march", march_names())
def test_needs_no_weights(march):
    model = Model.load(SHARED / "corpus" / WEIGHTLESS)
    assert model.missing_weights()
    assert estimate(place(model, load_target(march))).complete


@pytest.mark.parametrize("march", march_names())
def test_intervals_are_ordered(march):
    found = estimated(model_of(CHAIN), {"Neg": "cpu"}, load_target(march), 2)
    every = [found.bpu_ms, found.latency_ms, found.segment, *(c.us for c in found.nodes)]
    for low, mid, high in (*every, *(t.us for t in found.transfers)):
        assert 0 <= low <= mid <= high


def test_nodes_of_one_coefficient_err_together_and_others_each_for_itself():
    found = estimated(model_of(CHAIN))
    sums = {}
    for cost in found.nodes:
        sums[cost.group] = sums.get(cost.group, ZERO).plus(cost.us)
    sure = rates(X5).sheet.model_error
    expected = Interval.independent(sums.values()).no_narrower(sure).scaled(found.overlap).plus(found.segment)
    assert len(sums) > 1
    assert found.bpu_ms == pytest.approx(expected.scaled(1e-3))
    assert found.bpu_ms.low <= found.bpu_ms.mid - sure * (found.bpu_ms.mid - found.segment.mid / 1000)


def test_an_estimate_of_a_placement():
    model = model_of(CHAIN)
    placement = place(model, X5)
    found = estimate(placement)
    assert [c.node for c in found.nodes] == [row.node for row in placement.rows]
    assert found.latency_ms.low < found.latency_ms.mid < found.latency_ms.high
