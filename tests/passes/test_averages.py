"""average-by-map: averages that divide by what their windows hold, as a convolution times a map of factors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.linear import TileKernels
from surgery.ir import Constant, Model
from surgery.pipeline.result import Status
from tests.passes.test_linear import net
from tests.support import apply_pass


def averaged(kernel: int, stride: int = 1, channels: int = 64, sides: tuple[int, int] = (56, 28)) -> Model:
    """An average with pads of half a window."""
    window = f"kernel_shape = {[kernel] * 2}, strides = {[stride] * 2}, pads = {[kernel // 2] * 4}"
    body = f"a = Relu (x)  b = AveragePool <{window}> (a)  y = Relu (b)"
    return net(body, f"float[1,{channels},{sides[0]},{sides[1]}]", "", 11)


@pytest.mark.parametrize(("kernel", "stride"), [(5, 1), (7, 1), (13, 1), (5, 2)])
def test_windows_that_the_compiler_is_slow_at(kernel: int, stride: int) -> None:
    """As compiled (data/efficiency/averages.csv)."""
    done = apply_pass(averaged(kernel, stride), TileKernels(), "bayes-e")
    assert done.ops == ["Relu", "Conv", "Mul", "Relu"]
    conv, mul = done.model.graph.nodes[1:3]
    weight, factors = conv.inputs[1], mul.inputs[1]
    assert isinstance(weight, Constant)
    assert isinstance(factors, Constant)
    assert weight.shape == (64, 1, kernel, kernel)
    assert len(np.unique(weight.values)) == 1
    assert (factors.values.shape, factors.values.min()) == ((1, 1, -(-56 // stride), -(-28 // stride)), 1)
    assert factors.values[0, 0, 0, 0] == np.float32(kernel**2 / (kernel // 2 + 1) ** 2)


@pytest.mark.parametrize(("march", "kernel"), [("bayes-e", 3), ("bernoulli2", 5), ("bayes", 3)])
def test_windows_that_it_is_not_slow_at(march: str, kernel: int) -> None:
    done = apply_pass(averaged(kernel), TileKernels(), march)
    assert done.ops == ["Relu", "AveragePool", "Relu"]
    assert any("under 25 % are saved" in said for said in done.reasons), done.reasons


@pytest.mark.usefixtures("paying")
@settings(max_examples=25)
@given(st.data())
def test_any_window(data: st.DataObject) -> None:
    kernel = [data.draw(st.integers(2, 9)) for _ in "hw"]
    pads = [data.draw(st.integers(0, size - 1)) for size in kernel * 2]
    strides, up = [data.draw(st.integers(1, 3)) for _ in "hw"], data.draw(st.integers(0, 1))
    body = f"y = AveragePool <kernel_shape = {kernel}, strides = {strides}, pads = {pads}, ceil_mode = {up}> (x)"
    apply_pass(net(body, "float[1,4,17,19]", "", 11), TileKernels(), "bayes-e")


@pytest.mark.usefixtures("paying")
def test_same_padding() -> None:
    body = 'y = AveragePool <kernel_shape = [4, 5], auto_pad = "SAME_UPPER"> (x)'
    assert apply_pass(net(body, "float[1,4,17,19]", "", 11), TileKernels(), "bayes-e").ops == ["Conv", "Mul"]


WINDOW = "kernel_shape = [5, 5], pads = [2, 2, 2, 2]"


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize(
    ("body", "x", "opset", "reason"),
    [
        (f"y = AveragePool <{WINDOW}, count_include_pad = 1> (x)", "float[1,4,9,9]", 11, "by the same number"),
        ("y = AveragePool <kernel_shape = [5, 5]> (x)", "float[1,4,9,9]", 11, "divides by the same number everywhere"),
        ("y = AveragePool <kernel_shape = [5], pads = [2, 2]> (x)", "float[1,4,9]", 11, "over two axes"),
        (f"y = AveragePool <{WINDOW}, dilations = [2, 2]> (x)", "float[1,4,19,19]", 19, "its windows are dilated"),
        (f"y = AveragePool <{WINDOW}> (x)", "float16[1,4,9,9]", 11, "is of float16"),
        (f"y = AveragePool <{WINDOW}> (x)", "float[1,4,H,W]", 11, "all but the batch must be known"),
        ("y = AveragePool <kernel_shape = [129, 5], pads = [64, 2, 64, 2]> (x)", "float[1,4,9,9]", 11, "Conv.kernel_h"),
    ],
)  # fmt: skip
def test_sentences(body: str, x: str, opset: int, reason: str) -> None:
    model = net(body, x, x if x.startswith("float16") else "", opset)
    done = apply_pass(model, TileKernels(), "bayes-e", verify=False)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons
