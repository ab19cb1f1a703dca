"""Sums that a transposed convolution takes up: which of them the toolchain refuses."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from surgery.ir import Model
from surgery.target import load_target, place
from surgery.toolchain import Witness
from tests.support import proto_of

UP = "ConvTranspose<kernel_shape=[2, 2], strides=[2, 2]>"
CONV = "Conv<kernel_shape=[3, 3], pads=[1, 1, 1, 1]>"
SUMS = [
    # nodes, further outputs, whether it is refused; all put to the vendor's checker on three marches
    (f"a = {UP}(x, u) b = {UP}(x, v) y = Add(a, b) z = {CONV}(y, w)", "y", True),
    (f"a = {UP}(x, u) b = {UP}(x, v) y = Add(a, b) z = {CONV}(y, w)", "", False),
    (f"a = {UP}(x, u) b = {UP}(x, v) y = Add(a, b) z = Neg(y)", "y", False),
    (f"a = {UP}(x, u) b = {UP}(x, v) y = Add(a, b) z = Tanh(y)", "y", True),
    (f"a = {UP}(x, u) b = {UP}(x, v) y = Mul(a, b) z = {CONV}(y, w)", "y", False),
    (f"a = {UP}(x, u) b = {UP}(x, v) s = Add(a, b) y = Relu(s) z = {CONV}(y, w)", "y", True),
    (f"a = {UP}(x, u) b = {UP}(x, v) t = Tanh(b) y = Add(a, t) z = {CONV}(y, w)", "y", True),
    (f"a = {UP}(x, u) b = {UP}(x, v) t = {CONV}(b, w) y = Add(a, t) z = {CONV}(y, k)", "y", False),
    (f"a = {UP}(x, u) b = {UP}(x, v) t = Tanh(b) r = Relu(a) y = Add(r, t) z = {CONV}(y, w)", "y", False),
    (f"a = {UP}(x, u) b = {UP}(x, v) t = Tanh(b) q = Tanh(a) y = Add(a, t) z = {CONV}(y, w)", "y q", False),
    ("a = Tanh(x) b = Sigmoid(x) y = Add(a, b) z = Cos(y)", "y", False),
]


def summed(body: str, further: str) -> Model:
    """The model of ``body``, whose outputs are ``z`` and ``further``."""
    proto = proto_of(f"g (float[1,8,8,8] x) => (float z) {{ {body} }}", opset=11)
    for seed, (name, size) in enumerate({"u": 2, "v": 2, "w": 3, "k": 3}.items()):
        taps = np.random.default_rng(seed).normal(size=(8, 8, size, size)).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(taps, name))
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in further.split())
    for node in proto.graph.node:
        node.name = node.output[0]
    return Model.load(onnx.shape_inference.infer_shapes(proto))


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
@pytest.mark.parametrize(("body", "further", "refused"), SUMS)
def test_which_sums_are_refused(body: str, further: str, refused: bool, march: str) -> None:
    placement = place(summed(body, further), load_target(march))
    assert [refusal.rule for refusal in placement.refusals] == ["model.unsorted_sums"] * refused
    assert placement.accepted is not refused


@pytest.mark.witness
@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
@pytest.mark.parametrize(("body", "further", "refused"), SUMS)
def test_what_is_said_of_sums(vendor: Witness, body: str, further: str, refused: bool, march: str) -> None:
    assert (vendor.check(summed(body, further), march).refusal is not None) is refused
