"""cut-windows: windows of a map, as attention looks at them, as Slices and Concats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surgery
from passes.rank import NormaliseRank
from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.passes.test_linear import net
from tests.support import apply_pass

PARTED = """r = Reshape (h, k)  t = Transpose <perm = [0, 2, 4, 1, 3, 5]> (r)  s = Reshape (t, l)"""
BACK = """p = Reshape (m, o)  q = Transpose <perm = [0, 3, 1, 4, 2, 5]> (p)  z = Reshape (q, n)"""


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def windows(channels: int = 192, side: int = 14, window: int = 7) -> Model:
    """A convolution, one of every window, and one of the map again."""
    count = side // window
    body = f"h = Conv (x, u)  {PARTED}  m = Conv (s, w)  {BACK}  y = Conv (z, v)"
    shapes = {
        "k": ints(1, channels, count, window, count, window),
        "l": ints(count**2, channels, window, window),
        "o": ints(1, count, count, channels, window, window),
        "n": ints(1, channels, side, side),
    }
    weights = {"u": (channels, 8, 1, 1), "w": (channels, channels, 1, 1), "v": (8, channels, 1, 1)}
    map_ = f"float[1,8,{side},{side}]"
    return net(body, map_, map_, 11, **weights, **shapes)


@pytest.mark.parametrize(("channels", "side", "window"), [(192, 14, 7), (64, 28, 7), (128, 16, 8)])
def test_windows_are_cut_and_joined(channels: int, side: int, window: int) -> None:
    """As compiled (data/efficiency/windows.csv)."""
    done = apply_pass(windows(channels, side, window), NormaliseRank(), "bayes-e")
    assert sorted(set(done.ops)) == ["Concat", "Conv", "Slice"]
    count = side // window
    assert done.ops.count("Slice") == count + count**2 + count**2


def test_windows_leave_the_cpu_of_the_x3() -> None:
    done = apply_pass(windows(), NormaliseRank(), "bernoulli2")
    assert done.ops[:9] == ["Conv", *["Slice"] * 6, "Concat", "Conv"]
    assert done.ops[9:] == ["Reshape", "Transpose", "Reshape", "Conv"], "Slices of a batch run on the CPU, too"


def test_the_default_pipeline_keeps_them() -> None:
    done = surgery.run(windows(), march="bayes-e", verify="off")
    assert {node.op for node in done.model.nodes()} == {"Conv", "Slice", "Concat"}


def test_windows_of_places_first() -> None:
    """As of EfficientViT: of NxHxWxC in between, with five nodes."""
    body = """h = Conv (x, u)  a = Transpose <perm = [0, 2, 3, 1]> (h)  r = Reshape (a, k)
        t = Transpose <perm = [0, 1, 3, 2, 4, 5]> (r)  b = Reshape (t, l)
        s = Transpose <perm = [0, 3, 1, 2]> (b)  y = Conv (s, v)"""
    given = {"k": ints(1, 2, 7, 2, 7, 64), "l": ints(4, 7, 7, 64), "u": (64, 8, 1, 1), "v": (8, 64, 1, 1)}
    done = apply_pass(net(body, "float[1,8,14,14]", "", 11, **given), NormaliseRank(), "bayes-e")
    assert done.ops == ["Conv", *["Slice"] * 6, "Concat", "Conv"]


@pytest.mark.usefixtures("paying")
@settings(max_examples=25)
@given(st.data())
def test_any_windows_there_and_back(data: st.DataObject) -> None:
    down, right, high, wide = (data.draw(st.integers(1, 4)) for _ in range(4))
    channels = data.draw(st.integers(1, 5))
    body = f"h = Sin (x)  {PARTED}  m = Cos (s)  {BACK}  y = Sin (z)"
    shapes = {
        "k": ints(1, channels, down, high, right, wide),
        "l": ints(down * right, channels, high, wide),
        "o": ints(1, down, right, channels, high, wide),
        "n": ints(1, channels, down * high, right * wide),
    }
    map_ = f"float[1,{channels},{down * high},{right * wide}]"
    apply_pass(net(body, map_, map_, 11, **shapes), NormaliseRank(), "bayes-e")


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize(
    ("x", "k", "perm", "last"),
    [
        ((2, 4, 6, 6), (2, 4, 2, 3, 2, 3), (0, 2, 4, 1, 3, 5), (8, 4, 3, 3)),
        ((1, 4, 6, 6), (1, 4, 2, 3, 2, 3), (0, 4, 2, 1, 3, 5), (4, 4, 3, 3)),
        ((1, 4, 6, 6), (1, 4, 3, 2, 3, 2), (0, 3, 5, 1, 2, 4), (4, 4, 3, 3)),
        ((1, 2, 36, 36), (1, 2, 9, 4, 9, 4), (0, 2, 4, 1, 3, 5), (81, 2, 4, 4)),
    ],
    ids=["of a batch", "in another order", "every second place", "too many"],
)
def test_what_are_no_windows(x: Any, k: Any, perm: Any, last: Any) -> None:
    body = f"h = Sin (x)  r = Reshape (h, k)  t = Transpose <perm = {list(perm)}> (r)  s = Reshape (t, l)  y = Cos (s)"
    model = net(body, f"float{list(x)}", "", 11, k=ints(*k), l=ints(*last))
    done = apply_pass(model, NormaliseRank(), "bayes-e", verify=False)
    assert done.result.status is not Status.APPLIED or "Slice" not in done.ops
    assert any("are no windows of one map" in said for said in done.reasons), done.reasons
