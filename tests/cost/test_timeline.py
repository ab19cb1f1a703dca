"""The line of time: every piece once, in an order that the data allows, as long as the latency."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from surgery.cost import Estimate
from surgery.cost.segments import ON_BPU, numbers
from surgery.cost.timeline import Slot, timeline
from surgery.ir import Node
from surgery.target.place import place
from surgery.target.registry import march_names
from surgery.target.target import load_target
from tests.cost.make import estimated
from tests.support import model_of

CUT = "g (float[1,8,64,64] x) => (y) { a = Exp(x) b = Hardmax(a) c = Log(b) y = Sqrt(c) }"
LATE = """g (float[1,8,64,64] x, float[1,8,64,64] z) => (y, u) {
    a = Exp(x) b = Hardmax(z) c = Log(b) u = Sqrt(c) y = Sin(a)
}"""
"""The second segment is in the middle of the first, in the order of the graph."""


def line(text: str, segment: dict[str, int], cpu: dict[str, str]) -> tuple[Estimate, tuple[Slot, ...]]:
    found = estimated(model_of(text), cpu, segments=len(set(segment.values())))
    numbered = {c.node: segment[c.node.op] for c in found.nodes if c.node.op in segment}
    return found, timeline(replace(found, segment_of=numbered))


def ends(slots: tuple[Slot, ...]) -> list[float]:
    return [slot.begin + slot.us for slot in slots]


def test_it_is_as_long_as_the_latency_and_has_no_gap() -> None:
    found, slots = line(CUT, {"Exp": 0, "Log": 1, "Sqrt": 1}, {"Hardmax": "cpu"})
    assert ends(slots)[-1] == pytest.approx(found.latency_ms.mid * 1e3)
    assert slots[0].begin == 0
    assert all(after.begin == pytest.approx(end) for end, after in zip(ends(slots), slots[1:], strict=False))


def test_what_the_host_does_is_between_the_segments() -> None:
    found, slots = line(CUT, {"Exp": 0, "Log": 1, "Sqrt": 1}, {"Hardmax": "cpu"})
    order = ["transfer"] if found.transfers[0].us.mid else []
    order += [
        "submit",
        "start",
        "layer",
        "transfer",
        "node",
        "transfer",
        "submit",
        "start",
        "layer",
        "layer",
        "transfer",
    ]
    assert [slot.work for slot in slots] == order
    assert [s.segment for s in slots if s.work == "layer"] == [0, 1, 1]


def test_the_first_submit_and_the_later_ones_have_their_own_times() -> None:
    found, slots = line(CUT, {"Exp": 0, "Log": 1, "Sqrt": 1}, {"Hardmax": "cpu"})
    first, later = (slot.us for slot in slots if slot.work == "submit")
    assert {"submit": first, "resubmit": later} == {name: us.mid for name, us in found.host}


def test_a_segment_waits_for_what_it_reads_and_is_not_interrupted() -> None:
    _, slots = line(LATE, {"Exp": 0, "Sin": 0, "Log": 1, "Sqrt": 1}, {"Hardmax": "cpu"})
    assert [s.segment for s in slots if s.work == "layer"] == [0, 0, 1, 1]
    node = next(at for at, slot in enumerate(slots) if slot.work == "node")
    assert all(at > node for at, slot in enumerate(slots) if slot.segment == 1)


def test_segments_that_wait_for_each_other_still_come_once() -> None:
    _, slots = line(CUT, {"Exp": 0, "Log": 0, "Sqrt": 0}, {"Hardmax": "cpu"})
    assert sorted(s.name for s in slots if s.work in ("layer", "node")) == sorted(n.name for n in model_of(CUT).nodes())


def test_nothing_on_the_bpu_is_submitted_to_nothing() -> None:
    found, slots = line(CUT, {}, {"Exp": "cpu", "Hardmax": "cpu", "Log": "cpu", "Sqrt": "cpu"})
    assert {slot.work for slot in slots} == {"node"}
    assert ends(slots)[-1] == pytest.approx(found.latency_ms.mid * 1e3)


@pytest.mark.parametrize("march", march_names())
def test_on_every_march_it_ends_with_the_latency(march: str) -> None:
    from surgery.cost import estimate

    placed = place(model_of(CUT, opset=11), load_target(march))
    found = estimate(placed)
    slots = timeline(found)
    assert ends(slots)[-1] == pytest.approx(found.latency_ms.mid * 1e3)
    assert all(one.begin <= other.begin for one, other in pairwise(slots))


def test_segments_of_undecided_nodes_are_those_that_are_counted() -> None:
    model = model_of(CUT)
    nodes, device = list(model.nodes()), {"Hardmax": "unknown"}

    def side(node: Node) -> str:
        return device.get(node.op, "bpu")

    placed = {"Exp": 0, "Log": 1, "Sqrt": 1}
    assert set(numbers(nodes, side, lambda n: placed.get(n.op)).values()) == {0}
    assert all(side(n) in ON_BPU for n in nodes)


def test_an_undecided_node_apart_goes_with_what_feeds_it() -> None:
    model = model_of("g (float[1,8] x, float[1,8] z) => (y, u) { a = Exp(x) y = Log(a) u = Sin(z) }")
    sides = {"Log": "unknown", "Sin": "unknown"}
    found = numbers(list(model.nodes()), lambda n: sides.get(n.op, "bpu"), lambda n: {"Exp": 0}.get(n.op))
    assert {node.op: number for node, number in found.items()} == {"Exp": 0, "Log": 0, "Sin": 0}


def test_placed_segments_are_kept_where_every_node_has_a_side() -> None:
    nodes = list(model_of(CUT).nodes())
    placed = {"Exp": 0, "Log": 1, "Sqrt": 1}
    found = numbers(nodes, lambda n: "cpu" if n.op == "Hardmax" else "bpu", lambda n: placed.get(n.op))
    assert {node.op: number for node, number in found.items()} == placed
