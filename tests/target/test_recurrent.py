"""GRUs, which the X3's toolchain takes apart: as many segments as its checker counts beside that of a Sigmoid."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from surgery.ir import Model
from surgery.target import load_target, place


def gru(length: int | str, given: bool, reset: int, direction: str) -> Model:
    """A GRU of so many steps, with a state at first or none."""
    sides = 2 if direction == "bidirectional" else 1
    shapes = {"w": (sides, 12, 8), "r": (sides, 12, 4), "b": (sides, 24)}
    weights = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in shapes.items()]
    node = helper.make_node(
        "GRU", ["x", "w", "r", "b", "", "h" if given else ""], ["y"], "gru", hidden_size=4, direction=direction,
        linear_before_reset=reset,
    )  # fmt: skip
    sigmoid = helper.make_node("Sigmoid", ["z"], ["s"], "sigmoid")
    inputs = {"x": [length, 1, 8], "z": [1, 8, 4, 4], **({"h": [sides, 1, 4]} if given else {})}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    ends = [helper.make_empty_tensor_value_info(name) for name in ("y", "s")]
    graph = helper.make_graph([node, sigmoid], "g", values, ends, weights)
    return Model.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7))


@pytest.mark.parametrize(
    ("length", "given", "reset", "direction", "segments"),
    [
        (1, True, 1, "forward", 1), (2, True, 1, "forward", 2), (4, True, 1, "forward", 4), (1, True, 0, "forward", 2),
        (2, True, 0, "forward", 4), (1, False, 1, "forward", 2), (2, False, 1, "forward", 3),
        (3, False, 1, "forward", 5), (5, False, 1, "forward", 9), (2, False, 0, "forward", 3),
        (2, False, 1, "bidirectional", 6), ("steps", True, 1, "forward", 0),
    ],
)  # fmt: skip
def test_every_step_of_a_gru_is_a_segment(
    length: int | str, given: bool, reset: int, direction: str, segments: int
) -> None:
    model = gru(length, given, reset, direction)
    assert place(model, load_target("bernoulli2")).segments == segments + 1
