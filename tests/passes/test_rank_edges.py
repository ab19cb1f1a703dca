"""normalise-rank: convolutions with begin and end pads that differ, where the march wants them equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.rank import NormaliseRank
from tests.passes.rank_models import net, run
from tests.support import Applied, apply_pass

MAP = "[1,2,16,16]"
PADS = [0, 0, 0, 0, 0, 0, 0, 2]
FAR = "kernel_shape = [3, 3], dilations = [3, 3]"
"""A dilation that the X3 leaves on the CPU, whose kernel wants equal pads."""


def size(before: int, pads: int, reach: int, stride: int) -> int:
    return (before + pads - reach) // stride + 1


def convolved(
    pads: list[int], stride: int = 1, front: str = "b = Identity (a)", march: str = "bernoulli2", window: str = FAR
) -> Applied:
    reach, extra = (7 if window is FAR else 3), (2 if "Pad" in front else 0)
    high, wide = size(16, pads[0] + pads[2], reach, stride), size(16, pads[1] + pads[3] + extra, reach, stride)
    attrs = f"pads = {pads}, strides = [{stride}, {stride}], {window}"
    body = f"a = Sin (x)  {front}  c = Conv <{attrs}> (b, w)  y = Cos (c)"
    return run(net(body, MAP, f"[1,3,{high},{wide}]", 11, w=(3, 2, 3, 3), p=PADS, one=np.float32(1.0)), march)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=4, max_size=4), st.integers(1, 3))
def test_any_pads_and_strides(pads: list[int], stride: int) -> None:
    applied = convolved(pads, stride)
    assert (applied.result.drift_total or 0.0) == 0.0
    (conv,) = [n for n in applied.model.graph.nodes if n.op == "Conv"]
    assert conv.attrs["pads"][:2] == conv.attrs["pads"][2:], applied.reasons
    assert applied.result.applied == int(pads[:2] != pads[2:])


def test_what_is_longer_is_cut_off() -> None:
    applied = convolved([0, 6, 0, 0])
    assert applied.ops == ["Sin", "Identity", "Conv", "Slice", "Cos"]
    assert applied.model.graph.nodes[2].attrs["pads"] == [0, 6, 0, 6]


def test_a_pad_that_is_no_further_step_needs_no_cut() -> None:
    applied = convolved([0, 1, 0, 0], stride=2)
    assert applied.ops == ["Sin", "Identity", "Conv", "Cos"], applied.reasons


def test_a_pad_in_front_is_taken_in() -> None:
    applied = convolved([0, 0, 0, 0], front="b = Pad (a, p)")
    assert applied.ops == ["Sin", "Conv", "Slice", "Cos"], applied.reasons
    assert applied.result.drift_total == 0.0


@pytest.mark.parametrize("front", ["b = Pad (a, p, one)", 'b = Pad <mode = "edge"> (a, p)'])
def test_other_pads_in_front_stay_where_they_are(front: str) -> None:
    applied = convolved([0, 0, 0, 1], front=front)
    assert applied.ops == ["Sin", "Pad", "Conv", "Slice", "Cos"], applied.reasons
    assert applied.result.drift_total == 0.0


@pytest.mark.parametrize("march", ["bayes-e", "bayes"])
def test_on_the_bpu_pads_may_differ(march: str) -> None:
    assert convolved([0, 6, 0, 0], march=march).result.applied == 0


def test_within_the_limits_of_the_x3_pads_may_differ() -> None:
    assert convolved([0, 1, 0, 0], window="kernel_shape = [3, 3]").result.applied == 0


def transposed(pads: list[int], march: str, more: str = "", kernel: int = 15) -> Applied:
    high, wide = (15 * 2 + kernel - pads[i] - pads[i + 2] + bool(more) for i in (0, 1))
    attrs = f"pads = {pads}, strides = [2, 2], kernel_shape = [{kernel}, {kernel}]{more}"
    body = f"a = Sin (x)  b = ConvTranspose <{attrs}> (a, w)  y = Cos (b)"
    return run(net(body, MAP, f"[1,3,{high},{wide}]", 11, w=(2, 3, kernel, kernel)), march)


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 1], [1, 0, 0, 2], [0, 1, 0, 1]], ids=str)
@pytest.mark.parametrize("more", ["", ", output_padding = [1, 1]"])
def test_transposed_convolutions_on_the_cpu(march: str, pads: list[int], more: str) -> None:
    """No march has a kernel of 15 by 15."""
    applied = transposed(pads, march, more)
    uneven = pads[:2] != pads[2:]
    assert applied.ops == ["Sin", "ConvTranspose", *(["Slice"] if uneven else []), "Cos"], applied.reasons
    assert applied.result.drift_total == (0.0 if uneven else None)


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_transposed_convolutions_on_the_bpu(march: str) -> None:
    assert transposed([0, 0, 1, 1], march, kernel=4).result.applied == 0


REFUSED = {
    "a size that is not known": (
        "y = Conv <pads = [0, 1, 0, 0], dilations = [3, 3]> (x, w)", "[N,2,16,16]", "[N,3,10,11]",
        "every dim must be known",
    ),
    "an output shape": (
        "y = ConvTranspose <pads = [0, 0, 1, 1], strides = [2, 2], output_shape = [43, 43]> (x, t)", MAP,
        "[1,3,43,43]", "output_shape decides the pads",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    body, x, y, reason = REFUSED[name]
    model = net(body, x, y, 11, w=(3, 2, 3, 3), t=(2, 3, 15, 15))
    applied = apply_pass(model, NormaliseRank(), "bernoulli2", verify=False)
    assert any(reason in said for said in applied.reasons), applied.reasons
