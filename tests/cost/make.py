"""Targets and estimates for the tests of the cost package."""

from __future__ import annotations

from collections.abc import Mapping

from surgery.cost import Estimate, estimate_nodes
from surgery.ir import Model, Node
from surgery.target.target import Target, load_target
from tests.support import model_of

X5: Target = load_target("bayes-e")


def node_of(text: str, op: str, **versions: int) -> Node:
    """The first node of type ``op`` in a model of ONNX text."""
    return next(n for n in model_of(text, **versions).nodes() if n.op == op)


def estimated(model: Model, cpu: Mapping[str, str] | None = None, target: Target = X5, segments: int = 1) -> Estimate:
    """The estimate with every node on the BPU but the op types in ``cpu`` (op type to device)."""
    devices = cpu or {}
    return estimate_nodes(model.nodes(), lambda node: devices.get(node.op, "bpu"), segments, target)
