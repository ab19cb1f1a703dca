"""undilate: zeros between the taps of a dilated kernel, where these are predicted to be faster."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surgery
from passes.linear import TileKernels
from surgery.ir import Constant, Model, Node
from surgery.pipeline.result import Status
from tests.passes.test_linear import net
from tests.support import Applied, apply_pass


def dilated(dilation: int, channels: int = 16, side: int = 56, group: int = 1) -> Model:
    """A 3x3 convolution that keeps its size, between two of 1x1."""
    body = f"""h = Conv (x, u)
        m = Conv <pads = {[dilation] * 4}, dilations = {[dilation] * 2}, group = {group}> (h, w, b)
        y = Conv (m, v)"""
    given = {"w": (channels, channels // group, 3, 3), "b": (channels,), "v": (8, channels, 1, 1)}
    map_ = f"float[1,8,{side},{side}]"
    return net(body, map_, map_, 11, u=(channels, 8, 1, 1), **given)


def middle(model: Model) -> Node:
    """The convolution between the others."""
    return list(model.nodes())[1]


def shape(applied: Applied) -> tuple[tuple[int, ...], list[int]]:
    """Sides of its kernel, and its dilations."""
    node = middle(applied.model)
    return tuple(node.inputs[1].shape or ())[2:], list(node.attrs["dilations"])


@pytest.mark.parametrize(
    ("dilation", "channels", "side", "group", "left"),
    [
        (2, 64, 28, 1, ((3, 3), [2, 2])),
        (3, 16, 56, 1, ((7, 7), [1, 1])),
        (4, 16, 56, 1, ((5, 5), [2, 2])),
        (4, 128, 56, 128, ((9, 9), [1, 1])),
        (2, 64, 28, 64, ((5, 5), [1, 1])),
        (3, 64, 28, 1, ((3, 3), [3, 3])),
        (4, 64, 28, 1, ((3, 3), [4, 4])),
        (3, 256, 14, 1, ((3, 3), [3, 3])),
    ],
)
def test_where_the_compiler_is_faster_with_zeros(
    dilation: int, channels: int, side: int, group: int, left: tuple[Any, Any]
) -> None:
    """All as compiled (data/efficiency/dilations.csv)."""
    assert shape(apply_pass(dilated(dilation, channels, side, group), TileKernels(), "bayes-e")) == left


def test_the_taps_are_those_there_were() -> None:
    model = dilated(3)
    done = apply_pass(model, TileKernels(), "bayes-e")
    before, after = middle(model), middle(done.model)
    old, new = before.inputs[1], after.inputs[1]
    assert isinstance(old, Constant)
    assert isinstance(new, Constant)
    assert (new.values[..., ::3, ::3] == old.values).all()
    assert np.count_nonzero(new.values) == np.count_nonzero(old.values)
    assert (after.name, list(after.attrs["pads"])) == (before.name, [3] * 4)


def test_what_was_rejected_is_told() -> None:
    reasons = surgery.explain(dilated(4), "tile-kernels", march="bayes-e").reasons
    fired = next(reason for reason in reasons if reason.fires)
    assert [(way.plan, way.outcome) for way in fired.ways] == [
        ("dilations of [2, 2]", "chosen"),
        ("no dilation", "rejected"),
        ("9 of at most 1 taps along an axis", "rejected"),
    ]


@pytest.mark.usefixtures("paying")
@settings(max_examples=25)
@given(st.data())
def test_any_dilated_kernel(data: st.DataObject) -> None:
    high, wide = (data.draw(st.integers(1, 4)) for _ in "hw")
    steps = [data.draw(st.integers(1, 6)) for _ in "hw"]
    stride = data.draw(st.integers(1, 2))
    pads = [data.draw(st.integers(0, 6)) for _ in range(4)]
    group = data.draw(st.sampled_from([1, 4]))
    body = f"y = Conv <pads = {pads}, dilations = {steps}, strides = {[stride] * 2}, group = {group}> (x, w)"
    model = net(body, "float[1,4,21,23]", "", 11, w=(8, 4 // group, high, wide))
    apply_pass(model, TileKernels(), "bayes-e")


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize(
    ("body", "weight", "reason"),
    [
        ("y = Conv (x, w)", (4, 4, 3, 3), "is not dilated"),
        ("y = Conv <dilations = [1, 3], pads = [0, 3, 0, 3]> (x, w)", (4, 4, 1, 3), "a map of [1, 80] has places"),
        ("v = Neg (w)  y = Conv <dilations = [3, 3]> (x, v)", (4, 4, 3, 3), "must be constant"),
        (f"y = Conv <dilations = [9, 9], pads = {[72] * 4}> (x, w)", (4, 4, 17, 17), "a part breaks Conv.kernel_h"),
    ],
)
def test_sentences(body: str, weight: tuple[int, ...], reason: str) -> None:
    x = f"float[1,4,{'1' if 'pads = [0, 3' in body else '80'},80]"
    done = apply_pass(net(body, x, "", 11, w=weight), TileKernels(), "bayes-e", verify=False)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons


def test_a_weight_that_would_be_mostly_zeros_is_not_made() -> None:
    """What is left are a dilation of 2, which is made of one of 6, and the taps by themselves."""
    body = "y = Conv <dilations = [6, 6]> (x, w)"
    model = net(body, "float[1,512,40,40]", "", 11, w=(512, 512, 3, 3))
    fired = next(r for r in surgery.explain(model, "tile-kernels", march="bayes-e").reasons if r.ways)
    refused = [way.reason for way in fired.ways if way.outcome == "refused"]
    assert refused == ["with zeros between its taps the weight takes 177209344 bytes, at most 67108864"]


@pytest.mark.parametrize(("channels", "dilation", "side"), [(960, 12, 14), (256, 12, 28), (256, 6, 28)])
def test_taps_far_apart_become_convolutions_of_their_own(channels: int, dilation: int, side: int) -> None:
    """As compiled: the first, of DeepLab, takes 771 us instead of 5587."""
    body = f"""h = Conv (x, u)
        m = Conv <pads = {[dilation] * 4}, dilations = {[dilation] * 2}> (h, w)
        y = Conv (m, v)"""
    map_ = f"float[1,8,{side},{side}]"
    given = {"u": (channels, 8, 1, 1), "w": (256, channels, 3, 3), "v": (8, 256, 1, 1)}
    done = apply_pass(net(body, map_, map_, 11, **given), TileKernels(), "bayes-e", verify=side < 28)
    assert sorted(set(done.ops)) == ["Add", "Conv", "Slice"]
    assert done.ops.count("Conv") == 11


def test_what_does_not_pay_stays() -> None:
    done = apply_pass(dilated(4, 64, 28), TileKernels(), "bayes-e")
    assert any("under 20 % are saved" in said for said in done.reasons), done.reasons
    assert shape(apply_pass(dilated(3), TileKernels())) == ((3, 3), [3, 3]), "nobody says that it pays"
