"""Nodes by hand, for tests about one operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.target import Target, Verdict

FLOAT = np.dtype(np.float32)
Shape = tuple[Any, ...]


def weight(*shape: int, dtype: Any = np.float32) -> Constant:
    """A constant of zeros."""
    return Constant("w", np.zeros(shape, dtype))


def ints(*numbers: int) -> Constant:
    """A constant vector of int64."""
    return Constant("ints", np.array(numbers, np.int64))


def value(name: str, *shape: Any) -> Value:
    """A float32 value; a string among the dims is symbolic."""
    return Value(name, FLOAT, shape)


def node(op: str, inputs: list[Shape | Tensor], output: Shape, **attrs: Any) -> Node:
    """A node alone in a graph of its own; inputs given as shapes are graph inputs."""
    tensors = [t if isinstance(t, (Value, Constant)) else value(f"x{i}", *t) for i, t in enumerate(inputs)]
    made = Node(op, "n", attrs, tensors, [value("y", *output)])
    graph = Graph("g")
    graph.nodes.append(made)
    made.graph = graph
    graph.inputs = [t for t in tensors if isinstance(t, Value)]
    graph.outputs = [made.outputs[0]]
    return made


def conv(cin: int = 8, cout: int = 8, kernel: int = 3, size: int = 32, **attrs: Any) -> Node:
    """A convolution of an image of ``size`` by ``size``, its output of the same size."""
    taps = weight(cout, cin // attrs.get("group", 1), kernel, kernel)
    return node("Conv", [(1, cin, size, size), taps], (1, cout, size, size), **attrs)


def ids(verdict: Verdict) -> list[str]:
    """Ids of the limits a verdict says are broken."""
    return [violation.constraint for violation in verdict.violations]


def device(target: Target, made: Node, opset: int = 11) -> str:
    """The device alone."""
    return target.verdict(made, opset).device
