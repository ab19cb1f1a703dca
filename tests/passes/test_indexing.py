"""simplify-indexing: selections as slices, parts taken from what was joined; elements only move."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.indexing import SimplifyIndexing
from passes.indexing.runs import runs
from surgery.toolchain import Witness
from tests.passes.rank_models import net
from tests.support import Applied, apply_pass, vendor_devices

X, MARCH = "[1,8,6,6]", "bayes-e"


def run(body: str, x: str = X, y: str = X, march: str = MARCH, opset: int = 13, **constants: Any) -> Applied:
    """The pass over a body between two functions that no rule touches."""
    return apply_pass(net(f"a = Sin (x)  {body}  y = Cos (b)", x, y, opset, **constants), SimplifyIndexing(), march)


DONE = {
    "a range": ("b = Gather <axis = 2> (a, i)", "[1,8,3,6]", "Slice", {"i": [2, 3, 4]}),
    "every other": ("b = Gather <axis = 1> (a, i)", "[1,4,6,6]", "Slice", {"i": [1, 3, 5, 7]}),
    "from the end": ("b = Gather <axis = 1> (a, i)", "[1,2,6,6]", "Slice", {"i": [-2, -1]}),
    "all": ("b = Gather <axis = -1> (a, i)", X, "", {"i": list(range(6))}),
    "one": ("b = Gather <axis = 1> (a, i)", "[1,6,6]", "Slice Squeeze", {"i": 3}),
    "halves turned": ("b = Gather <axis = 1> (a, i)", X, "Slice Slice Concat", {"i": [4, 5, 6, 7, 0, 1, 2, 3]}),
    "points of channels": ("b = GatherND (a, i)", "[1,2,6,6]", "Slice", {"i": [[[0, 2], [0, -5]]]}),
    "points of channels, twice and backwards": (
        "b = GatherND (a, i)", "[1,18,6,6]", "Gather", {"i": [[[0, 7 - c // 2 % 8] for c in range(18)]]}
    ),
    "points of pixels": (
        "b = GatherND (a, i)", "[2,6]", "Reshape Slice Reshape", {"i": [[0, 1, 5], [0, 2, 0]]}
    ),
    "channels updated": (
        "p, q = Split <axis = 1> (a)  b = ScatterND (a, i, p)", X, "Split Slice Slice Concat",
        {"i": [[[0, 1], [0, 2], [0, 3], [0, 4]]]},
    ),
    "everything updated": ("p = Exp (a)  b = ScatterND (a, i, p)", X, "Exp", {"i": [[0]]}),
    "a corner updated": (
        "p = Slice (a, n, e, k)  q = Exp (p)  b = ScatterND (a, i, q)", X,
        "Slice Exp Slice Slice Concat Slice Concat",
        {"i": [[[[0, c, r] for r in range(2)] for c in range(4)]], "n": [0, 0], "e": [4, 2], "k": [1, 2]},
    ),
    "two of three parts": (
        "p, q, r = Split <axis = 1> (a, n)  b = Concat <axis = 1> (p, q)", "[1,4,6,6]", "Slice", {"n": [2, 2, 4]}
    ),
    "parts in another order": (
        "p, q = Split <axis = 1> (a)  c = Concat <axis = 1> (p, q)  d = Concat <axis = 1> (q, p)  b = Add (c, d)", X,
        "Split Concat Add", {},
    ),
    "slices side by side": (
        "p = Slice (a, n, h, k)  q = Slice (a, h, m, k)  b = Concat <axis = 1> (p, q)", X, "",
        {"n": [0], "h": [3], "m": [1 << 40], "k": [1]},
    ),
    "split where it was joined": (
        "p = Exp (a)  c = Concat <axis = 1> (a, p)  q, r = Split <axis = 1> (c)  b = Sub (q, r)", X, "Exp Sub", {}
    ),
    "part of one operand": (
        "p = Exp (a)  c = Concat <axis = 1> (a, p)  b = Slice (c, s, e, k)", "[1,2,6,6]", "Exp Slice",
        {"s": [10], "e": [12], "k": [1]},
    ),
}  # fmt: skip


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("name", DONE)
def test_what_comes_out(name: str) -> None:
    body, y, after, constants = DONE[name]
    march = "bernoulli2" if name == "halves turned" else MARCH
    done = run(body, y=y, march=march, **constants)
    assert done.ops == ["Sin", *after.split(), "Cos"]
    assert done.result.exactness == "exact"


LEFT = {
    "nine runs": (
        "b = Gather <axis = 1> (a, i)", "[1,9,6,6]", "9 runs of equal steps, at most 1",
        {"i": [7, 6, 5, 4, 3, 2, 1, 0, 0]},
    ),
    "two axes of indices": ("b = Gather <axis = 1> (a, i)", "[1,1,2,6,6]", "of rank 2", {"i": [[0, 1]]}),
    "computed points": (
        "s = Shape (a)  j = Slice (s, n, m)  i = Unsqueeze (j, n)  k = Sub (i, i)  b = GatherND (a, k)", "[1,6]",
        "must be constant", {"n": [0], "m": [3]},
    ),
    "points of a batch": ("b = GatherND <batch_dims = 1> (a, i)", "[1,6,6]", "batch_dims is 1", {"i": [[2]]}),
    "places out of order": (
        "p, q = Split <axis = 1> (a)  b = ScatterND (a, i, p)", X, "no box in reading order",
        {"i": [[[0, 1], [0, 2], [0, 4], [0, 3]]]},
    ),
    "a place twice": (
        "p, q = Split <axis = 1> (a)  b = ScatterND (a, i, p)", X, "no box in reading order",
        {"i": [[[0, 1], [0, 2], [0, 2], [0, 3]]]},
    ),
    "rests along three axes": (
        "p = Slice (a, s, e, k)  b = ScatterND (a, i, p)", X, "a rest along 3 axes",
        {
            "i": [[[[[0, c, r, w] for w in range(2)] for r in range(2)] for c in range(2)]],
            "s": [0, 0, 0], "e": [2, 2, 2], "k": [1, 2, 3],
        },
    ),
    "sums at places": ("b = ScatterND <reduction = \"add\"> (a, i, a)", X, "reduction is 'add'", {"i": [[0]]}),
    "a part of two operands": (
        "p = Exp (a)  c = Concat <axis = 1> (a, p)  b = Slice (c, s, e, k)", X, "of several operands",
        {"s": [4], "e": [12], "k": [1]},
    ),
    "some parts among others": (
        "p, q, r = Split <axis = 1> (a, n)  s = Exp (r)  b = Concat <axis = 1> (p, q, s)", X, "", {"n": [2, 2, 4]}
    ),
    "parts along another axis": (
        "p = Exp (a)  c = Concat <axis = 2> (a, p)  b = Slice (c, s, e, k)", "[1,4,12,6]", "no part along axis 2",
        {"s": [0], "e": [4], "k": [1]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_refusal(name: str) -> None:
    body, y, why, constants = LEFT[name]
    done = run(body, y=y, opset=18 if "reduction" in body else 13, **constants)
    assert done.result.applied == 0
    assert not why or any(why in reason for reason in done.reasons), done.reasons


def test_symbolic_sizes_are_named() -> None:
    body = "b = Gather <axis = 1> (a, i)"
    assert any("an axis of size C, it must be known" in reason for reason in reasons(body, "[1,2,6,6]", i=[-2, -1]))
    body = "c = Concat <axis = 1> (a, a)  p, q = Split <axis = 1> (c)  b = Add (p, q)"
    assert any("is of size C along axis 1, it must be known" in reason for reason in reasons(body, "[1,C,6,6]"))


def reasons(body: str, y: str, **constants: Any) -> list[str]:
    """What is said about a model of an unknown number of channels."""
    model = net(f"a = Sin (x)  {body}  y = Cos (b)", "[1,C,6,6]", y, **constants)
    return apply_pass(model, SimplifyIndexing(), MARCH, verify=False).reasons


def test_no_points_are_refused() -> None:
    model = net("a = Sin (x)  b = GatherND (a, i)  y = Cos (b)", X, "[0,6,6]", i=np.zeros((0, 2), np.int64))
    assert "there are no indices" in " ".join(apply_pass(model, SimplifyIndexing(), MARCH, verify=False).reasons)


def test_places_far_apart_are_refused_before_what_is_between_is_counted() -> None:
    body = "a = Sin (x)  u = Exp (x)  b = ScatterND (a, i, u)  y = Cos (b)"
    model = net(body.replace("Exp (x)", "Gather (x, z)"), "[99999,99999,99999]", "[99999,99999,99999]",
                i=[[0, 0, 0], [99998, 99998, 99998]], z=[0, 1])  # fmt: skip
    assert "no box in reading order" in " ".join(apply_pass(model, SimplifyIndexing(), MARCH, verify=False).reasons)


def test_behind_the_last_computation_a_gather_stays() -> None:
    model = net("a = Sin (x)  b = Gather <axis = 1> (a, i)  y = Reshape (b, s)", X, "[2,36]", i=[2, 3], s=[2, 36])
    done = apply_pass(model, SimplifyIndexing(), MARCH)
    assert done.ops == ["Sin", "Gather", "Reshape"]
    assert any("behind the last computation it stays" in reason for reason in done.reasons)


def test_indices_of_integers_are_left() -> None:
    """Shape arithmetic is for constant folding."""
    done = apply_pass(
        net("s = Shape (x)  g = Gather (s, i)  y = ConstantOfShape (g)", X, "[1]", i=[1]), SimplifyIndexing(), MARCH
    )
    assert done.result.applied == 0


def test_opset_9_has_no_steps() -> None:
    done = run("b = Gather <axis = 1> (a, i)", y="[1,4,6,6]", opset=9, i=[0, 2, 4, 6])
    assert any("opset 9 slices with step 1 only" in reason for reason in done.reasons)
    assert run("b = Gather <axis = 1> (a, i)", y="[1,2,6,6]", opset=9, i=[2, 3]).ops == ["Sin", "Slice", "Cos"]


@given(st.lists(st.integers(-8, 7), min_size=1, max_size=9))
def test_any_indices(indices: list[int]) -> None:
    """Whatever comes out of a Gather, on the march that has none, apply_pass holds it against onnxruntime."""
    found = runs([i % 8 for i in indices])
    assert [run.start + k * run.step for run in found for k in range(run.count)] == [i % 8 for i in indices]
    assert all(run.step > 0 and run.count > 0 for run in found)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 8))
def test_any_gather_keeps_its_elements(order: list[int], count: int) -> None:
    run("b = Gather <axis = 1> (a, i)", y=f"[1,{count},6,6]", march="bernoulli2", i=list(order[:count]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 7), st.integers(1, 8), st.integers(0, 5), st.integers(1, 6))
def test_any_box_is_updated(channel: int, channels: int, row: int, rows: int) -> None:
    channels, rows = min(channels, 8 - channel), min(rows, 6 - row)
    places = [[[0, channel + c, row + r] for r in range(rows)] for c in range(channels)]
    body = "e = Exp (a)  p = Slice (e, s, n, k)  b = ScatterND (a, i, p)"
    done = run(body, i=[places], s=[0, 0], n=[channels, rows], k=[1, 2])
    assert "ScatterND" not in done.ops


def test_constant_data_is_cut_at_once() -> None:
    done = run("b = ScatterND (c, i, a)", y="[1,10,6,6]", c=(1, 10, 6, 6), i=[[[0, 1 + c] for c in range(8)]])
    assert done.ops == ["Sin", "Concat", "Cos"]
    assert np.prod([t.shape[1] for t in done.model.graph.nodes[1].inputs]) == 8


PLACED = {
    "halves turned": ("b = Gather <axis = 1> (a, i)", "bernoulli2", {"i": [*range(8, 16), *range(8)]}),
    "channels updated": (
        "p = Sigmoid (a)  q = Slice (p, s, e, k)  b = ScatterND (a, i, q)", "bayes-e",
        {"i": [[[0, c] for c in range(4, 8)]], "s": [0], "e": [4], "k": [1]},
    ),
}  # fmt: skip


@pytest.mark.witness
@pytest.mark.parametrize("name", PLACED)
def test_the_witness_puts_it_on_the_bpu(name: str, vendor: Witness) -> None:
    body, march, constants = PLACED[name]
    held = {"w": (16, 16, 1, 1), **constants}
    model = net(f"a = Conv (x, w)  {body}  y = Conv (b, w)", "[1,16,24,24]", "[1,16,24,24]", 11, **held)
    done = apply_pass(model, SimplifyIndexing(), march)
    assert done.result.applied == 1
    assert set(vendor_devices(vendor, done.model, march).values()) == {"bpu"}
