"""normalise-rank: pads of low rank, at rank 4."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.rank import NormaliseRank
from tests.support import Applied, apply_pass


def padded(shape: list[int], pads: list[int], *, march: str = "bayes-e", opset: int = 11) -> Applied:
    rank = len(shape)
    after = [size + pads[i] + pads[rank + i] for i, size in enumerate(shape)]
    held = f"int64[{2 * rank}] p = {{{', '.join(map(str, pads))}}}, float v = {{0.5}}"
    body = "a = Sin (x)  b = Pad (a, p, v)  y = Sin (b)"
    return apply_pass(
        f"g (float{shape} x) => (float{after} y) <{held}> {{ {body} }}", NormaliseRank(), march, opset=opset
    )


@pytest.mark.parametrize(
    ("march", "end"),
    [("bayes-e", ["Reshape", "Sin"]), ("bayes", ["Reshape", "Sin"]), ("bernoulli2", ["Sin", "Reshape"])],
)
def test_a_value_of_rank_3(march: str, end: list[str]) -> None:
    """On the X3 only a lookup of rank 4 can be on the BPU, so the one behind the pad is done before the way back."""
    applied = padded([8, 16, 31], [0, 0, 0, 0, 0, 1], march=march)
    assert applied.ops == ["Sin", "Reshape", "Pad", *end], applied.reasons
    assert applied.result.drift_total == 0.0
    pad = applied.model.graph.nodes[2]
    assert (pad.inputs[0].shape, pad.inputs[1].values.tolist()) == ((1, 8, 16, 31), [0, 0, 0, 0, 0, 0, 0, 1])


def test_at_rank_4_there_is_nothing_to_do() -> None:
    assert padded([1, 8, 4, 4], [0, 0, 0, 0, 0, 0, 0, 1]).result.applied == 0


REFUSED = {
    "computed pads": (
        "g (float[2,3] x, int64[4] p) => (float[2,4] y) { a = Sin (x)  y = Pad (a, p) }",
        "pads by None, there must be two constant pads for each of 2 axes",
    ),
    "a dim that is not known": (
        "g (float[N,3] x) => (float[N,4] y) <int64[4] p = {0,0,0,1}> { a = Sin (x)  y = Pad (a, p) }",
        "'a' has the shape Nx3, every dim must be known",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    text, reason = REFUSED[name]
    assert reason in apply_pass(text, NormaliseRank(), "bayes-e", opset=11, verify=False).reasons


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 4), st.integers(0, 1), st.integers(1, 2)), min_size=2, max_size=3))
def test_any_pads(columns: list[tuple[int, int, int]]) -> None:
    shape, first, last = (list(column) for column in zip(*columns, strict=True))
    applied = padded(shape, first + last)
    assert applied.result.drift_total == 0.0
    assert applied.ops == ["Sin", "Reshape", "Pad", "Reshape", "Sin"]
