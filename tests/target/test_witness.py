"""Our placement beside the vendor's checker, on one network of many branches per march."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from surgery.ir import Model
from surgery.report.witness import same_place
from surgery.target import load_target, place
from surgery.toolchain import Witness
from surgery.toolchain.names import map_names
from tests.support import vendor_devices
from tests.target.networks import FOLDED, NEIGHBOURS, PARTED, network

ACTIVATIONS = ["Sigmoid", "Erf", "Neg", "Softmax", "LeakyRelu", "ReduceMax"]
TAILS = ["MaxPool", "GlobalAveragePool", "Tanh", "DepthToSpace"]
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Softmax": {"axis": 1},
    "ReduceMax": {"axes": [2], "keepdims": 1},
    "MaxPool": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "DepthToSpace": {"blocksize": 2},
}


def branches() -> onnx.ModelProto:
    """Convolution, operator and convolution for every activation; convolution and operator for every tail."""
    nodes, outputs = [], []
    for op in (*ACTIVATIONS, *TAILS):
        attributes = ATTRIBUTES.get(op, {})
        nodes += [_conv("x", f"{op}_pre"), helper.make_node(op, [f"{op}_pre"], [op], name=op, **attributes)]
        if op in ACTIVATIONS:
            nodes.append(_conv(op, f"{op}_post"))
        outputs.append(helper.make_empty_tensor_value_info(f"{op}_post" if op in ACTIVATIONS else op))
    taps = np.random.default_rng(0).normal(size=(64, 64, 1, 1)).astype(np.float32)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64, 28, 28])
    graph = helper.make_graph(nodes, "g", [image], outputs, [numpy_helper.from_array(taps, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)
    return onnx.shape_inference.infer_shapes(model)


def _conv(data: str, name: str) -> onnx.NodeProto:
    attributes: dict[str, Any] = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0] * 4, "group": 1}
    return helper.make_node("Conv", [data, "w"], [name], name=name, **attributes)


@pytest.mark.witness
@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_same_devices(vendor: Witness, march: str) -> None:
    model = Model.load(branches())
    theirs = vendor_devices(vendor, model, march)
    assert theirs
    ours = {row.node.name: row.device for row in place(model, load_target(march)).rows}
    assert {name: device for name, device in ours.items() if device != "folded"} == {
        name: device for name, device in theirs.items() if name in ours
    }


@pytest.mark.witness
@pytest.mark.parametrize(
    ("body", "march"), [*((body, "bayes-e") for body, _ in FOLDED), *(row[:2] for row in (*NEIGHBOURS, *PARTED))]
)
def test_what_is_said_of_neighbours(vendor: Witness, body: str, march: str) -> None:
    model = network(body)
    answer = vendor.check(model, march)
    assert answer.placement is not None
    names, placement = map_names(model, answer.placement), place(model, load_target(march))
    devices = {row.node.name: (row.device, names.device(row.node.name), placement.host(row)) for row in placement.rows}
    assert {name: found for name, found in devices.items() if not same_place(*found)} == {}


@pytest.mark.witness
@pytest.mark.parametrize(("body", "march", "segments"), [(body, march, count) for body, march, _, count in PARTED])
def test_segments_are_said(vendor: Witness, body: str, march: str, segments: int) -> None:
    answer = vendor.check(network(body), march)
    assert answer.placement is not None
    assert answer.placement.segments == segments
