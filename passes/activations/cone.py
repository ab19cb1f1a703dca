"""The elementwise operators between one value and another, as a function of one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context

Array = np.ndarray[Any, Any]
MOST = 12
"""Nodes of the longest form that is looked at."""
LARGEST = 16.0
"""Constants beyond this make a function that the points of :data:`GRID` do not tell."""
GRID = np.concatenate([np.linspace(-8, 8, 257), np.linspace(-64, 64, 65), np.linspace(-1e-3, 1e-3, 21)])

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _hard_sigmoid(node: Node, x: Array) -> Array:
    alpha, beta = (float(node.attrs.get(name, default)) for name, default in (("alpha", 0.2), ("beta", 0.5)))
    return np.clip(alpha * x + beta, 0, 1)


def _clip(node: Node, x: Array, *_: Array) -> Array:
    bounds = ops.clip_bounds(node)
    low, high = bounds or (np.nan, np.nan)
    return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)


OPERATORS: dict[str, Callable[..., Array]] = {
    "Add": lambda _, a, b: a + b,
    "Sub": lambda _, a, b: a - b,
    "Mul": lambda _, a, b: a * b,
    "Div": lambda _, a, b: a / b,
    "Pow": lambda _, a, b: np.power(a, b),
    "Max": lambda _, a, b: np.maximum(a, b),
    "Min": lambda _, a, b: np.minimum(a, b),
    "Neg": lambda _, a: -a,
    "Exp": lambda _, a: np.exp(a),
    "Log": lambda _, a: np.log(a),
    "Sqrt": lambda _, a: np.sqrt(a),
    "Reciprocal": lambda _, a: 1 / a,
    "Erf": lambda _, a: _erf(a),
    "Tanh": lambda _, a: np.tanh(a),
    "Sigmoid": lambda _, a: _sigmoid(a),
    "Softplus": lambda _, a: np.logaddexp(0, a),
    "Relu": lambda _, a: np.maximum(a, 0),
    "HardSigmoid": _hard_sigmoid,
    "Clip": _clip,
}


BENT = frozenset({"Max", "Min", "Exp", "Erf", "Tanh", "Sigmoid", "Softplus", "Relu", "HardSigmoid", "Clip"})
"""Operators one of which every activation has."""


@dataclass(frozen=True)
class Cone:
    """Nodes that compute the output of the last of them from ``x`` and constants of one element alone."""

    x: Tensor
    nodes: tuple[Node, ...]

    @property
    def root(self) -> Node:
        """The node whose output it computes."""
        return self.nodes[-1]

    @property
    def is_bent(self) -> bool:
        """Whether it can be an activation at all."""
        return any(node.op in BENT for node in self.nodes)

    def values(self) -> Array:
        """What it gives for every number of :data:`GRID`."""
        known: dict[Tensor, Array] = {self.x: GRID}
        with np.errstate(all="ignore"):
            for node in self.nodes:
                operands = [_value(tensor, known) for tensor in node.inputs]
                known[node.outputs[0]] = OPERATORS[node.op](node, *operands)
        return known[self.root.outputs[0]]


def _value(tensor: Tensor, known: dict[Tensor, Array]) -> Array:
    return known[tensor] if tensor in known else np.asarray(ops.scalar(tensor) or 0.0)


def cones(root: Node, ctx: Context) -> Iterator[Cone]:
    """Those that end at ``root``, the smallest first; what is inside is read inside alone."""
    nodes, leaves = [root], _leaves(root)
    while leaves:
        if len(leaves) == 1 and next(iter(leaves)).shape == root.outputs[0].shape:
            yield Cone(next(iter(leaves)), tuple(sorted(nodes, key=lambda node: node.position)))
        latest = max(leaves, key=lambda tensor: tensor.producer.position if tensor.producer else (-1.0,))
        maker = latest.producer
        if maker is None or len(nodes) == MOST or maker.graph is not root.graph or not is_elementwise(maker):
            return
        if ctx.is_output(latest) or any(reader not in nodes for reader in latest.consumers):
            return
        nodes.append(maker)
        leaves = (leaves - {latest}) | _leaves(maker)


def is_elementwise(node: Node) -> bool:
    """Whether it can be evaluated: an operator of :data:`OPERATORS` with operands of one number or not constant."""
    if node.op not in OPERATORS or not node.is_onnx or len(node.outputs) != 1:
        return False
    if node.op in ("Max", "Min") and len(node.inputs) != 2:
        return False
    if node.op == "Clip":
        bounds = ops.clip_bounds(node)
        return bounds is not None and all(bound is None or abs(bound) <= LARGEST for bound in bounds)
    numbers = [ops.scalar(tensor) for tensor in node.inputs if isinstance(tensor, Constant)]
    return all(number is not None and abs(number) <= LARGEST for number in numbers)


def _leaves(node: Node) -> set[Tensor]:
    return {tensor for tensor in node.inputs if not isinstance(tensor, Constant) and not tensor.is_empty()}
