"""group-blocks: dense weights in blocks along the diagonal become groups, where the march is faster with these."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from passes.linear import FuseConvs
from passes.linear.blocks import blocks, diagonal
from passes.linear.window import Axis, Window
from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.support import Applied, apply_pass, proto_of


def weights(parts: int, outs: int, ins: int, kernel: tuple[int, ...], group: int = 1) -> np.ndarray:
    """Random weights of ``group`` groups, each in ``parts`` blocks of ``outs`` by ``ins`` channels."""
    rng, full = np.random.default_rng(0), np.zeros((group, parts, outs, parts, ins, *kernel), np.float32)
    for part in range(parts):
        full[:, part, :, part] = rng.uniform(0.5, 1.0, (group, outs, ins, *kernel))
    return full.reshape(group * parts * outs, parts * ins, *kernel)


def convolution(weight: np.ndarray, group: int = 1, side: int = 14) -> Model:
    pads = [size // 2 for size in weight.shape[2:]] * 2
    inputs, outputs = weight.shape[1] * group, len(weight)
    proto = proto_of(
        f"""g (float[1,{inputs},{side},{side}] x) => (float[1,{outputs},{side},{side}] y) {{
            a = Conv <pads = {pads}, group = {group}> (x, w, b)  y = Relu (a)
        }}""",
        opset=11,
    )
    bias = np.arange(outputs, dtype=np.float32)
    proto.graph.initializer.extend([numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")])
    return Model.load(proto)


def groups(applied: Applied) -> int:
    return next(int(node.attrs.get("group", 1)) for node in applied.model.nodes() if node.op == "Conv")


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_blocks_become_groups(march: str) -> None:
    applied = apply_pass(convolution(weights(4, 64, 64, (3, 3))), FuseConvs(), march)
    assert groups(applied) == 4
    conv = next(node for node in applied.model.nodes() if node.op == "Conv")
    assert conv.inputs[1].shape == (256, 64, 3, 3)
    assert conv.name == "Conv"


def test_groups_fall_into_more() -> None:
    assert groups(apply_pass(convolution(weights(4, 16, 16, (3, 3), group=2), 2), FuseConvs(), "bayes-e")) == 8


@pytest.mark.parametrize(("march", "wide"), [("bernoulli2", 8), ("bayes-e", 16)])
def test_groups_of_a_1x1_kernel_are_as_wide_as_the_arrays(march: str, wide: int) -> None:
    model = convolution(weights(64, 4, 4, (1, 1)), side=28)
    assert groups(apply_pass(model, FuseConvs(), march)) == 256 // wide


def test_what_stays_dense() -> None:
    whole = weights(4, 16, 16, (3, 3))
    whole[3, 40] = 1
    refused = apply_pass(convolution(whole), FuseConvs(), "bayes-e")
    assert groups(refused) == 1
    assert "its weights are not in blocks" in refused.reasons
    few = apply_pass(convolution(weights(2, 4, 4, (3, 3)), side=4), FuseConvs(), "bayes-e")
    assert groups(few) == 1
    assert any("predicted to save" in said for said in few.reasons), few.reasons
    assert groups(apply_pass(convolution(weights(4, 16, 16, (3, 3))), FuseConvs())) == 1, "nobody says that it pays"


def test_groups_that_the_march_does_not_take() -> None:
    applied = apply_pass(convolution(weights(2, 1, 2056, (3, 1)), side=4), FuseConvs(), "bernoulli2")
    assert applied.result.status is not Status.APPLIED
    assert any("in 2 groups it would break Conv.in_channels_per_group" in said for said in applied.reasons)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(*[st.integers(1, 4)] * 4)
def test_the_blocks_are_the_weights(group: int, parts: int, outs: int, ins: int) -> None:
    weight = weights(parts, outs, ins, (2, 1), group)
    assert blocks(weight, group) == parts
    apart = Window(diagonal(weight, group, parts), np.zeros(len(weight)), group * parts, (Axis(), Axis()))
    assert np.array_equal(apart.regrouped(group).weight, weight)
