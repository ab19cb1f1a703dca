"""Targets and estimates for the tests of the cost package."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import numpy_helper

from surgery.cost import Estimate, estimate_nodes
from surgery.ir import Model, Node
from surgery.target.target import Target, load_target
from tests.support import model_of, proto_of

X5: Target = load_target("bayes-e")


def node_of(text: str, op: str, **versions: int) -> Node:
    """The first node of type ``op`` in a model of ONNX text."""
    return next(n for n in model_of(text, **versions).nodes() if n.op == op)


def estimated(model: Model, cpu: Mapping[str, str] | None = None, target: Target = X5, segments: int = 1) -> Estimate:
    """The estimate with every node on the BPU but the op types in ``cpu`` (op type to device)."""
    devices = cpu or {}
    return estimate_nodes(model.nodes(), lambda node: devices.get(node.op, "bpu"), segments, target)


def weighted(text: str, **versions: int) -> Model:
    """The model of ONNX text whose graph inputs of names with a ``w`` are weights, of ones."""
    proto = proto_of(text, **versions)
    for value in [value for value in proto.graph.input if value.name.startswith("w")]:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        proto.graph.initializer.append(numpy_helper.from_array(np.ones(shape, np.float32), value.name))
        proto.graph.input.remove(value)
    return Model.load(proto)
