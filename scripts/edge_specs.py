"""What a node for a limit's edge is made of: its operands, attributes and results, what stands before and behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np
from onnx import TensorProto

from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.ir.store import Absent
from surgery.ir.weights import Weight

TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64,
         "int32": TensorProto.INT32, "bool": TensorProto.BOOL}  # fmt: skip
Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
STUB = "Stub"
"""Operator of the node that stands for whatever reads the result."""
PROBE = "probe"
"""Name of the node in question."""


@dataclass(frozen=True)
class Computed:
    """An operand that is computed at run time."""

    shape: Shape
    dtype: str = "float32"


Operand: TypeAlias = "Computed | Unfilled | Array"


@dataclass(frozen=True)
class Spec:
    """One node and its place.

    Attributes:
        outputs: shapes of the results.
        front: what makes the first operand: nothing, ``flatten:CxHxW``, ``product`` by a constant.
        reader: what reads the first result: ``any``, nothing (the graph's end), ``add``, ``product``.
        read: how many of the results are read or given out.
    """

    op: str
    operands: tuple[Operand, ...]
    outputs: tuple[Shape, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    front: str = ""
    reader: str = "any"
    read: int = 1
    opset: int = 11
    result: str = "float32"


@dataclass(frozen=True)
class Unfilled:
    """A constant without numbers, which it gets when it is put into a network; integers are zeros."""

    shape: Shape
    dtype: str = "float32"


def filled(*shape: int) -> Unfilled:
    """A float constant whose numbers do not matter."""
    return Unfilled(shape)


def held(name: str, operand: Unfilled | Array) -> Constant:
    """A constant; one without numbers takes no memory."""
    if isinstance(operand, Unfilled):
        return Constant(name, Weight(TYPES[operand.dtype], operand.shape, Absent(name, 0)))
    return Constant(name, operand)


def ints(*numbers: int) -> Array:
    """A constant vector of int64."""
    return np.array(numbers, np.int64)


def dims(tensor: Tensor) -> Shape:
    """The dims of a tensor, which are all numbers here."""
    return tuple(int(size) for size in tensor.shape or () if isinstance(size, int))


def build(spec: Spec) -> Node:
    """The node of a spec, named ``probe``, in a graph of its own."""
    graph = Graph("g")
    tensors: list[Tensor] = []
    for index, operand in enumerate(spec.operands):
        if isinstance(operand, Computed):
            tensors.append(Value(f"x{index}", np.dtype(operand.dtype), operand.shape))
        else:
            tensors.append(held(f"k{index}", operand))
    if spec.front:
        tensors[0] = _front(graph, spec.front, tensors[0])
    outputs = [Value(f"y{i}", np.dtype(spec.result), shape) for i, shape in enumerate(spec.outputs)]
    node = _add(graph, Node(spec.op, PROBE, dict(spec.attrs), tensors, outputs))
    graph.outputs = [*_behind(graph, spec.reader, outputs[0]), *outputs[1 : spec.read]]
    made = {id(tensor) for n in graph.nodes for tensor in n.outputs}
    read = [t for n in graph.nodes for t in n.inputs if isinstance(t, Value) and id(t) not in made]
    graph.inputs = list({id(t): t for t in read}.values())
    return node


def _add(graph: Graph, node: Node) -> Node:
    graph.nodes.append(node)
    node.graph = graph
    return node


def _step(graph: Graph, op: str, inputs: Sequence[Tensor], shape: Shape, **attrs: Any) -> Value:
    name = f"{op}{len(graph.nodes)}"
    out = Value(f"v_{name}", np.dtype(np.float32), shape)
    _add(graph, Node(op, name, attrs, list(inputs), [out]))
    return out


def _front(graph: Graph, kind: str, data: Tensor) -> Value:
    shape = dims(data)
    if kind == "product":
        square = held("front_w", filled(shape[-1], shape[-1]))
        return _step(graph, "MatMul", [Value("x0", np.dtype(np.float32), shape), square], shape)
    sizes = tuple(int(size) for size in kind.partition(":")[2].split("x"))
    source = Value("x0", np.dtype(np.float32), (shape[0], *sizes))
    return _step(graph, "Flatten", [source], (shape[0], prod(sizes)), axis=1)


def _behind(graph: Graph, reader: str, out: Value) -> list[Tensor]:
    """What stands behind the result, and what the graph gives out of that."""
    shape = dims(out)
    if reader == "any":
        return [_step(graph, STUB, [out], shape)]
    if reader == "add":
        return [_step(graph, "Add", [out, Value("shortcut", np.dtype(np.float32), shape)], shape)]
    if reader == "product":
        return [_step(graph, "MatMul", [out, held("behind_w", filled(shape[-1], shape[-1]))], shape)]
    return [out]
