"""remove-noops: what is stretched anyway is not written out before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.noops import RemoveNoops
from passes.noops.expand import stretched
from surgery.pipeline.result import Status
from tests.support import apply_pass

SMALL = "float[2,1,3] x, float[2,4,3] z"


def graph(nodes: str, *, inputs: str = SMALL, y: str = "float[2,4,3]", held: str = "int64[3] s = {2, 4, 3}") -> str:
    return f"g ({inputs}) => ({y} y) <{held}> {{ a = Sin (x)  {nodes} }}"


@pytest.mark.parametrize(
    ("nodes", "after"),
    [
        ("e = Expand (a, s)  y = Add (e, z)", ["Sin", "Add"]),
        ("e = Expand (a, s)  y = Mul (z, e)", ["Sin", "Mul"]),
        ("e = Expand (a, s)  m = Max (z, e, a)  y = Sub (e, m)", ["Sin", "Max", "Sub"]),
        ("c = Greater (z, a)  e = Expand (a, s)  y = Where (c, e, a)", ["Sin", "Greater", "Where"]),
        ("e = Expand (a, s)  f = Expand (e, s)  y = Add (e, e)", ["Sin", "Expand", "Add"]),
    ],
)
def test_dropped(nodes: str, after: list[str]) -> None:
    applied = apply_pass(graph(nodes), RemoveNoops())
    assert applied.ops == after
    assert applied.result.drift_total in (0.0, None)


def test_two_that_stretch_each_other() -> None:
    text = """g (float[1,3,1] x, float[1,1,5] z) => (float[1,3,5] y) <int64[3] s = {1, 3, 5}>
    { a = Sin (x)  b = Sin (z)  e = Expand (a, s)  f = Expand (b, s)  y = Add (e, f) }"""
    assert apply_pass(text, RemoveNoops()).ops == ["Sin", "Sin", "Add"]


def test_after_a_transpose() -> None:
    applied = apply_pass(
        graph("e = Expand (a, s)  y = Transpose <perm = [2, 1, 0]> (e)", y="float[3,4,2]"), RemoveNoops()
    )
    assert applied.ops == ["Sin", "Transpose", "Expand"]
    assert applied.result.drift_total == 0.0
    [expand] = [n for n in applied.model.graph.nodes if n.op == "Expand"]
    assert expand.inputs[1].values.tolist() == [3, 4, 2]


REFUSED = {
    "it is an output": (
        ("g (float[2,1,3] x, float[2,4,3] z) => (float[2,4,3] y, float[2,4,3] e) <int64[3] s = {2,4,3}> "
        "{ a = Sin (x)  e = Expand (a, s)  y = Add (e, z) }"),
        "'e' is also a graph output",
    ),
    "a reader that does not stretch": (
        graph("e = Expand (a, s)  y = Relu (e)"),
        "Relu reads it, which does not stretch what it reads",
    ),
    "nothing else has the size": (
        graph("e = Expand (a, s)  y = Add (e, a)"),
        "without it 'Add' is 2x1x3, it must be 2x4x3",
    ),
    "a dim that is not known": (
        ("g (float[N,1,3] x, float[N,4,3] z) => (float[N,4,3] y) <int64[3] s = {1,4,3}> "
        "{ a = Sin (x)  e = Expand (a, s)  y = Add (e, z) }"),
        "'a' has the shape Nx1x3, every dim must be known",
    ),
    "axes in front before a transpose": (
        graph("e = Expand (a, s)  y = Transpose <perm = [3, 0, 1, 2]> (e)", y="float[3,5,2,1]",
              held="int64[4] s = {5, 2, 1, 3}"),
        "the Expand makes 5x2x1x3 of 2x1x3, the ranks must be equal",
    ),
    "a constant before a transpose": (
        graph("e = Expand (k, s)  t = Transpose <perm = [1, 0, 2]> (e)  y = Concat <axis = 0> (t, z2)",
              inputs="float[2,1,3] x, float[4,2,3] z2", y="float[8,2,3]",
              held="int64[3] s = {2, 4, 3}, float[2,1,3] k = {1,2,3,4,5,6}"),
        "'k' is constant, which is folded",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    text, reason = REFUSED[name]
    applied = apply_pass(text, RemoveNoops())
    assert applied.result.status in (Status.REFUSED, Status.UNCHANGED)
    assert reason in applied.reasons


SHAPES = st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.booleans(), st.booleans()), min_size=0, max_size=4)


@settings(max_examples=200, deadline=None)
@given(SHAPES)
def test_stretched_as_numpy_does(columns: list[tuple[int, bool, bool]]) -> None:
    a, b = (tuple(1 if column[i] else column[0] for column in columns) for i in (1, 2))
    for shape in (a, a[1:]):
        assert stretched(shape, b) == np.broadcast_shapes(shape, b)
