"""stage-stride: patches that lie side by side, two by two places at a time, and what stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surgery
from passes.linear import FuseConvs, TileKernels
from surgery.ir import Constant, Model
from surgery.pipeline.result import Status
from tests.passes.test_linear import net
from tests.support import Applied, apply_pass


def patches(kernel: tuple[int, int], outs: int = 64, channels: int = 3, sides: tuple[int, int] = (32, 32)) -> Model:
    """Patches of an image, on top of each other nowhere."""
    high, wide = kernel
    body = f"y = Conv <kernel_shape = [{high}, {wide}], strides = [{high}, {wide}]> (x, w, c)"
    x = f"float[1,{channels},{sides[0]},{sides[1]}]"
    return net(body, x, "", 11, w=(outs, channels, high, wide), c=(outs,))


def strides(applied: Applied) -> list[list[int]]:
    return [list(node.attrs["strides"]) for node in applied.model.nodes()]


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize(
    ("kernel", "outs", "left"),
    [((4, 4), 12, [2, 2]), ((8, 8), 48, [2, 2]), ((16, 16), 192, [2, 2]), ((16, 16), 64, [4, 4]), ((8, 4), 64, [4, 2]),
     ((6, 6), 12, [3, 3])],
)  # fmt: skip
def test_stages_halve_what_is_left_until_there_would_be_too_many_channels(
    kernel: tuple[int, int], outs: int, left: list[int]
) -> None:
    done = apply_pass(patches(kernel, outs), TileKernels(), "bayes-e")
    assert strides(done)[-1] == left
    assert all(step == [2, 2] for step in strides(done)[:-1])
    assert len(strides(done)) > 1


@pytest.mark.usefixtures("paying")
@settings(max_examples=25)
@given(st.data())
def test_any_patches_of_any_image(data: st.DataObject) -> None:
    high, wide = (data.draw(st.sampled_from([4, 6, 8, 12, 16])) for _ in "hw")
    sides = data.draw(st.integers(high, 40)), data.draw(st.integers(wide, 40))
    model = patches((high, wide), data.draw(st.integers(1, 3)) * 16, data.draw(st.integers(1, 4)), sides)
    apply_pass(model, TileKernels(), "bayes-e")


@pytest.mark.usefixtures("paying")
def test_a_stage_only_moves() -> None:
    done = apply_pass(patches((4, 4)), TileKernels(), "bayes-e", verify=False)
    moving = done.model.graph.nodes[0].inputs[1]
    assert isinstance(moving, Constant)
    assert sorted(np.unique(moving.values)) == [0, 1]
    assert (moving.values.sum(axis=(1, 2, 3)) == 1).all()


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize(
    ("body", "given_", "reason"),
    [
        ("y = Conv <strides = [4, 4]> (x, w)", {"w": (64, 3, 3, 3)}, "its patches do not lie side by side"),
        ("y = Conv <strides = [4, 4], pads = [1, 1, 1, 1]> (x, w)", {"w": (64, 3, 4, 4)}, "do not lie side by side"),
        ("y = Conv <strides = [4, 4], group = 3> (x, w)", {"w": (63, 1, 4, 4)}, "its patches do not lie side by side"),
        ("y = Conv <strides = [4, 4]> (x, w)", {"w": (8, 3, 4, 4)}, "in between than the 8 that come out"),
        ("y = Conv <strides = [4, 4]> (x, w)  z = Neg (x)", {"w": (64, 3, 4, 4)}, "'x' is read by others, too"),
        ("v = Neg (w)  y = Conv <strides = [4, 4]> (x, v)", {"w": (64, 3, 4, 4)}, "must be constant"),
    ],
)
def test_sentences(body: str, given_: dict[str, Any], reason: str) -> None:
    done = apply_pass(net(body, "float[1,3,32,32]", "", 11, **given_), TileKernels(), "bayes-e", verify=False)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons


@pytest.mark.usefixtures("paying")
def test_stages_are_not_made_one_again() -> None:
    staged = apply_pass(patches((8, 8)), TileKernels(), "bayes-e")
    again = apply_pass(staged.model, FuseConvs(), "bayes-e", verify=False)
    assert again.ops == ["Conv"] * 3
    assert any("a stride of 4, worked out at the places between" in said for said in again.reasons), again.reasons


def test_the_default_pipeline_comes_to_an_end_with_them() -> None:
    done = surgery.run(patches((16, 16), 192, sides=(224, 224)), march="bayes-e", verify="off")
    assert [node.op for node in done.model.nodes()] == ["Conv"] * 4
