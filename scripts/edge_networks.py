"""Networks around the nodes of edges: each behind a convolution and before one, many side by side in one model."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from edge_specs import PROBE, STUB, TYPES, Array, Spec, build, dims
from onnx import TensorProto, helper, numpy_helper

from surgery.ir.graph import Constant, Node, Tensor
from surgery.ir.store import Absent

IR = 7
LOOKUP = "Sigmoid"
"""An operator whose result is quantised on every march."""
FRONTS = ("conv", "lookup", "bare")
"""What stands before a node: a convolution, a lookup behind one, or nothing."""
CHANNELS = 4


class Network:
    """A model in the making.

    Args:
        front: what stands before the nodes, one of ``FRONTS``.
    """

    def __init__(self, front: str, opset: int) -> None:
        self.front, self.opset = front, opset
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.held: dict[str, onnx.TensorProto] = {}

    def add(self, spec: Spec, name: str) -> None:
        """Put the node of ``spec`` in, called ``name``, with what it needs around it."""
        graph = build(spec)
        made: dict[int, str] = {}
        assert graph.graph is not None
        for value in graph.graph.inputs:
            made[id(value)] = self._source(value, f"{name}_{value.name}")
        for node in graph.graph.nodes:
            if node.op != STUB:
                self._copy(node, name, made)
        for value in graph.graph.outputs:
            stub = value.producer is not None and value.producer.op == STUB
            end = value.producer.inputs[0] if stub and value.producer else value
            self._end(end, made[id(end)], name, closed=stub)

    def model(self) -> onnx.ModelProto:
        """The model, its shapes inferred."""
        graph = helper.make_graph(self.nodes, "edges", self.inputs, self.outputs, list(self.held.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=IR)
        return onnx.shape_inference.infer_shapes(model)

    def _copy(self, node: Node, prefix: str, made: dict[int, str]) -> None:
        """A node of the small graph under new names."""
        inputs = [self._named(tensor, f"{prefix}_{node.name}", made) for tensor in node.inputs]
        outputs = []
        for index, tensor in enumerate(node.outputs):
            made[id(tensor)] = f"{prefix}_{node.name}_{index}"
            outputs.append(made[id(tensor)])
        name = prefix if node.name == PROBE else f"{prefix}_{node.name}"
        self.nodes.append(helper.make_node(node.op, inputs, outputs, name=name, **dict(node.attrs)))

    def _named(self, tensor: Tensor, prefix: str, made: dict[int, str]) -> str:
        if not isinstance(tensor, Constant):
            return made[id(tensor)]
        name = f"{prefix}_{tensor.name}"
        unfilled = isinstance(tensor.weight.source, Absent)
        self.held[name] = numpy_helper.from_array(_seeded(name, tensor) if unfilled else tensor.values, name)
        return name

    def _node(self, op: str, inputs: Sequence[str], name: str, **attrs: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attrs))
        return name

    def _constant(self, name: str, values: Array) -> str:
        self.held[name] = numpy_helper.from_array(values, name)
        return name

    def _conv(self, source: str, name: str, cin: int, cout: int) -> str:
        said: dict[str, Any] = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4}
        taps = self._constant(f"w_{name}", _uniform(f"w_{name}", (cout, cin, 1, 1)))
        return self._node("Conv", [source, taps], name, group=1, **said)

    def _source(self, value: Tensor, name: str) -> str:
        """A value of the shape of ``value``, computed before the node."""
        shape, kind = dims(value), TYPES[str(value.dtype)]
        if self.front == "bare" or kind != TensorProto.FLOAT or not shape:
            self.inputs.append(helper.make_tensor_value_info(f"x_{name}", kind, shape))
            return f"x_{name}"
        n, c, h, w = as_map(shape)
        self.inputs.append(helper.make_tensor_value_info(f"x_{name}", kind, (n, CHANNELS if c < 4096 else 1, h, w)))
        made = self._conv(f"x_{name}", f"{name}_before", CHANNELS if c < 4096 else 1, c)
        if self.front == "lookup":
            made = self._node(LOOKUP, [made], f"{name}_lookup")
        return made if len(shape) == 4 else self._reshaped(made, f"{name}_shaped", shape)

    def _reshaped(self, source: str, name: str, shape: Sequence[int]) -> str:
        return self._node("Reshape", [source, self._constant(f"{name}_to", np.array(shape, np.int64))], name)

    def _end(self, value: Tensor, made: str, name: str, *, closed: bool) -> None:
        """A convolution behind a result that is read; a result that is not, or no float, ends the graph."""
        shape, kind = dims(value), TYPES[str(value.dtype)]
        if closed and kind == TensorProto.FLOAT and shape and 0 not in shape:
            if len(shape) != 4:
                made = self._reshaped(made, f"{name}_unshaped", as_map(shape))
            made, shape = self._conv(made, f"{name}_after", as_map(shape)[1], CHANNELS), ()
        self.outputs.append(helper.make_empty_tensor_value_info(made))


def as_map(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """A shape of rank 4 with as many elements, the channels those of the first dims or of the only one."""
    if len(shape) == 4:
        n, c, h, w = shape
        return n, c, h, w
    if len(shape) == 1:
        return 1, shape[0], 1, 1
    if len(shape) == 2:
        return 1, shape[1], 1, shape[0]
    return 1, prod(shape[:-2]), shape[-2], shape[-1]


def network(specs: Iterable[Spec], front: str) -> onnx.ModelProto:
    """One model of several nodes, called ``p0``, ``p1`` and so on."""
    specs = list(specs)
    made = Network(front, min(max(spec.opset for spec in specs), 11))
    for index, spec in enumerate(specs):
        made.add(spec, f"p{index}")
    return made.model()


def _seeded(name: str, tensor: Constant) -> Array:
    """Numbers for a constant that has none."""
    return _uniform(name, tensor.shape) if tensor.dtype == np.float32 else np.zeros(tensor.shape, tensor.dtype)


def _uniform(name: str, shape: Sequence[int]) -> Array:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.uniform(0.01, 0.1, size=tuple(shape)).astype(np.float32)
