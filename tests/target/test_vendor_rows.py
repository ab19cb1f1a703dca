"""Our prediction against rows of the vendor's published logs, on small graphs of the same operators."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from onnx import helper

from surgery.ir import Model
from surgery.pipeline.view import place_as_seen
from surgery.target import load_target
from tests.support import proto_of

CASES = yaml.safe_load(Path(__file__).with_name("vendor_rows.yaml").read_text("utf-8"))


def with_weights(text: str) -> onnx.ModelProto:
    """The model of the text, all its inputs but the first made weights of zeros."""
    proto = proto_of(text, opset=11)
    for info in list(proto.graph.input)[1:]:
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        size = 4 * math.prod(shape)
        proto.graph.initializer.append(helper.make_tensor(info.name, 1, shape, bytes(size), raw=True))
        proto.graph.input.remove(info)
    return proto


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_prediction_agrees_with_the_log(case: dict[str, Any]) -> None:
    rows = place_as_seen(Model.load(with_weights(case["graph"])), load_target(case["march"])).rows
    devices = {row.node.name: row.device for row in rows}
    ours = {name: devices[name] for name in case["rows"]}
    differs = {name for name, device in case["rows"].items() if ours[name] != device}
    assert differs == set(case.get("differs", ()))
