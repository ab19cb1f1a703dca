"""Weights that the compiler packs, by their values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from surgery.cost import packing
from surgery.cost.coefficients import rates
from surgery.cost.nodes import node_cost
from surgery.cost.work import weight_bytes
from surgery.ir import Model
from surgery.ir.graph import Constant, Node
from surgery.ir.weights import Weight
from surgery.target import load_target
from tests.support import model_of

Array = np.ndarray[Any, Any]
SHAPE, DEPTHWISE = (64, 64, 3, 3), (64, 1, 9, 9)


def normal(shape: tuple[int, ...] = SHAPE, zeros: float = 0.0, scale: float = 0.02, peak: float = 0.0) -> Array:
    rng = np.random.default_rng(1)
    found = (scale * rng.standard_normal(shape)).astype(np.float32)
    found[rng.random(shape) < zeros] = 0
    if peak:
        found.reshape(shape[0], -1)[:, 0] = peak * scale
    return found


def layer(weights: Array, op: str = "Conv", attrs: str = "") -> Node:
    sizes = ",".join(map(str, weights.shape))
    data = f"float[{sizes}] w = {{{','.join(['0'] * weights.size)}}}"
    inputs = f"float[1,64{'' if op == 'Gemm' else ',14,14'}] x"
    made = model_of(f"g ({inputs}) => (y) <{data}> {{ y = {op}{attrs}(x, w) }}")
    node = made.graph.nodes[0]
    constant = node.inputs[1]
    assert isinstance(constant, Constant)
    constant.weight = Weight.of(weights)
    return node


@pytest.mark.parametrize(
    ("weights", "share"),
    [
        (normal(), 1),
        (normal(zeros=0.1), 1),
        (normal(zeros=0.17), 7 / 8),
        (normal(zeros=0.23), 3 / 8),
        (normal(zeros=1.0), 3 / 8),
        (normal(peak=6), 7 / 8),
        (normal(peak=80), 3 / 8),
        (normal(scale=1e-7), 3 / 8),
        (normal(scale=1e-3), 1),
    ],
)
@pytest.mark.parametrize("march", ["bayes", "bayes-e", "bernoulli2"])
def test_weights_are_packed_by_their_values(weights: Array, share: float, march: str) -> None:
    align = rates(load_target(march)).align
    node = layer(weights)
    full, loaded = weight_bytes(node, align)
    assert loaded == (full if march == "bernoulli2" else round(share * full))


def test_zeros_are_those_of_the_whole_layer() -> None:
    """Every ninth channel, which are looked at first, has fewer of them."""
    weights = normal(zeros=0.24)
    weights[::9] = normal(zeros=0.14)[::9]
    assert (weights == 0).mean() > 0.21
    node = layer(weights)
    assert packing.share(node, node.inputs[1]) == packing.SPARSE


def test_those_of_a_depthwise_convolution_stay_as_they_are() -> None:
    align = rates(load_target("bayes-e")).align
    node = layer(normal(DEPTHWISE, zeros=0.5), attrs="<group=64, pads=[4,4,4,4]>")
    full, loaded = weight_bytes(node, align)
    assert loaded == full


@pytest.mark.parametrize(
    ("op", "attrs", "axis"),
    [("Conv", "", 0), ("ConvTranspose", "", 1), ("Gemm", "<transB=1>", 0), ("Gemm", "", 1)],
)
def test_the_scale_is_one_of_output_channels(op: str, attrs: str, axis: int) -> None:
    """One channel of large weights makes none of the others small."""
    shape = (256, 64) if op == "Gemm" else SHAPE
    weights = np.moveaxis(normal(shape), 0, axis).copy()
    large = [slice(None)] * weights.ndim
    large[axis] = slice(0, 1)
    weights[tuple(large)] *= 1000
    node = layer(weights, op, attrs)
    assert packing.share(node, node.inputs[1]) == 1


def test_absent_weights_are_loaded_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="c")],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 64, 14, 14])],
        [helper.make_tensor_value_info("y", 1, [1, 64, 12, 12])],
        [numpy_helper.from_array(normal(zeros=0.5), "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(proto, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    target = load_target("bayes-e")

    def read() -> int:
        return node_cost(Model.load(path).graph.nodes[0], "bpu", target).read

    with_them = read()
    (tmp_path / "w.bin").unlink()
    weights = weight_bytes(layer(normal()), rates(target).align).stored
    assert read() - with_them == weights - round(weights * 3 / 8)


def test_weights_of_two_layers_are_told_by_the_output_channels_of_each() -> None:
    """One array, read turned and as it is: a channel of large weights is a row, or a number of every row."""
    weights = normal((64, 64))
    weights[0] *= 1000
    turned, plain = layer(weights, "Gemm", "<transB=1>"), layer(weights, "Gemm")
    one, other = turned.inputs[1], plain.inputs[1]
    assert isinstance(one, Constant)
    assert isinstance(other, Constant)
    other.weight = one.weight
    assert (packing.share(turned, one), packing.share(plain, other)) == (1, packing.SPARSE)
