"""normalise-rank: places in one row parted into height and width, with the channels last."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.rank_models import net, run

CONV = "y = Conv (b, w)"
PARTED = ["Reshape", "Transpose", "Reshape", "Transpose", "Conv"]


def attention_end(groups: int, depth: int, height: int, width: int, march: str = "bayes-e"):
    channels = groups * depth
    body = f"a = Sin (x)  b = Reshape (a, k)  {CONV}"
    held = {"k": [1, channels, height, width], "w": (4, channels, 1, 1)}
    return run(net(body, f"[1,{groups},{depth},{height * width}]", f"[1,4,{height},{width}]", **held), march)


def test_the_end_of_attention_over_a_map() -> None:
    done = attention_end(2, 64, 20, 20)
    assert done.ops == ["Sin", *PARTED]
    assert done.result.exactness == "exact"


def test_rows_of_rank_3_are_read_as_they_are() -> None:
    body = "a = MatMul (x, v)  b = Reshape (a, k)  c = Mul (b, s)  d = Add (c, b)  y = Conv (d, w)"
    held = {"k": [1, 64, 7, 7], "v": (49, 49), "s": (1, 64, 1, 1), "w": (4, 64, 1, 1)}
    done = run(net(body, "[1,64,49]", "[1,4,7,7]", **held))
    assert done.ops == ["MatMul", "Transpose", "Reshape", "Transpose", "Mul", "Add", "Conv"]


def test_beside_a_convolution_the_places_need_no_parting() -> None:
    """A Reshape that only lists the places of a map, or parts them again, is free there."""
    body = f"a = Conv (x, v)  b = Reshape (a, k)  {CONV}"
    done = run(net(body, "[1,8,1,64]", "[1,4,8,8]", k=[1, 16, 8, 8], v=(16, 8, 1, 1), w=(4, 16, 1, 1)))
    assert done.ops == ["Conv", "Reshape", "Conv"]


def test_heads_of_which_queries_are_split_off() -> None:
    body = (
        "a = MatMul (x, v)  b = Reshape (a, k)  q, r = Split <axis = 3> (b, s)  y = Transpose <perm = [0, 2, 1, 3]> (r)"
    )
    held = {"k": [1, 196, 4, 64], "v": (64, 256), "s": [16, 48]}
    done = run(net(body, "[196,64]", "[1,4,196,48]", **held))
    assert done.ops[:6] == ["MatMul", "Reshape", "Transpose", "Reshape", "Transpose", "Split"]


def test_tokens_parted_for_another_reader_are_left() -> None:
    body = "a = MatMul (x, v)  b = Reshape (a, k)  c = Transpose <perm = [0, 2, 1, 3]> (b)  y = Softmax (c)"
    done = run(net(body, "[1,49,64]", "[1,4,49,16]", k=[1, 49, 4, 16], v=(64, 64)))
    assert "part-as-tokens" not in {edit.change.rule for edit in done.result.edits}
    assert any("no convolution and no Split reads" in reason for reason in done.reasons)


def test_a_march_on_which_it_was_not_measured_keeps_the_reshape() -> None:
    assert attention_end(2, 16, 8, 8, "bernoulli2").ops == ["Sin", "Reshape", "Conv"]


def test_a_second_run_changes_nothing() -> None:
    once = attention_end(2, 64, 20, 20)
    twice = run(once.model)
    assert twice.result.applied == 0
    assert any("parts rows that lie across" in reason for reason in twice.reasons)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        ("[1,8,8,64]", "[1,64,64]", "does not part the last axis into two"),
        ("[1,8,8,64]", "[1,64,1,64]", "does not part the last axis into two"),
        ("[1,8,8,64]", "[1,32,16,8]", "does not part the last axis into two"),
        ("[2,8,8,64]", "[1,128,8,8]", "no convolution and no Split reads"),
    ],
)
def test_other_reshapes_are_left(x: str, y: str, why: str) -> None:
    shape = [int(size) for size in y.strip("[]").split(",")]
    done = run(net("a = Sin (x)  b = Reshape (a, k)  y = Sin (b)", x, y, k=shape))
    assert "Transpose" not in done.ops
    assert any(why in reason for reason in done.reasons)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 24), st.integers(2, 9), st.integers(2, 9))
def test_any_size_keeps_every_element(groups: int, depth: int, height: int, width: int) -> None:
    done = attention_end(groups, depth, height, width)
    assert done.ops in (["Sin", "Reshape", "Conv"], ["Sin", *PARTED])
