"""Pieces of models: some neighbouring nodes of a graph with static shapes, as a model of their own."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

SIZES = (10, 41)
"""Nodes of a piece, the last excluded."""
TRIES = 20


def piece(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto | None:
    """A piece whose inputs and outputs are float maps of batch 1; None where none is found in a few tries."""
    return next((found for _ in range(TRIES) if (found := _cut(model, rng)) is not None), None)


def _cut(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto | None:
    graph, count = model.graph, int(rng.integers(*SIZES))
    begin = int(rng.integers(max(1, len(graph.node) - count)))
    nodes = graph.node[begin : begin + count]
    held = {tensor.name: tensor for tensor in graph.initializer}
    made = list(dict.fromkeys(name for node in nodes for name in node.output if name))
    read = list(dict.fromkeys(name for node in nodes for name in node.input if name))
    later = {name for node in graph.node[begin + count :] for name in node.input} | {o.name for o in graph.output}
    inputs = [name for name in read if name not in made and name not in held]
    outputs = [name for name in made if name in later or name not in read]
    known = {info.name: info for info in (*graph.value_info, *graph.input, *graph.output)}
    if not inputs or not all(name in known and _is_float_map(known[name]) for name in (*inputs, *outputs)):
        return None
    begins, ends = ([known[name] for name in names] for names in (inputs, outputs))
    part = helper.make_graph(nodes, "piece", begins, ends, [held[name] for name in read if name in held])
    return helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)


def _is_float_map(info: onnx.ValueInfoProto) -> bool:
    kind = info.type.tensor_type
    sizes = [dim.dim_value for dim in kind.shape.dim]
    return kind.elem_type == TensorProto.FLOAT and 1 < len(sizes) <= 4 and all(sizes) and sizes[0] == 1
