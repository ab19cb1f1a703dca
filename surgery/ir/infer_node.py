"""Types of what a single new node computes, by onnx's inference of that operator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import onnx

from surgery.ir.exporter import INLINE_BYTES, Exporter, Weights, type_of
from surgery.ir.graph import Constant, DType, Node, Shape
from surgery.ir.importer import tensor_type


def infer_node(
    node: Node, opset: int, known: Mapping[str, onnx.TensorProto] | None = None
) -> list[tuple[DType | None, Shape | None]]:
    """Dtype and shape per output of ``node``; (None, None) where its operator has no inference, or an operand no type.

    ``known`` holds the content of inputs that are no constants, by name.
    """
    unknown: list[tuple[DType | None, Shape | None]] = [(None, None)] * len(node.outputs)
    schema = _schema(node.op, opset) if node.is_onnx else None
    if schema is None or not schema.has_type_and_shape_inference_function:
        return unknown
    types = {t.name: kind for t in node.inputs if t.name and (kind := type_of(t)) is not None}
    if any(t.name and t.name not in types for t in node.inputs):
        return unknown
    data = {
        t.name: t.weight.to_proto(t.name)
        for t in node.inputs
        if isinstance(t, Constant) and t.nbytes <= INLINE_BYTES and not t.weight.missing
    } | dict(known or {})
    proto = Exporter(Weights.INPUTS, opset).node(node)
    try:
        found = onnx.shape_inference.infer_node_outputs(schema, proto, types, data)
    except (RuntimeError, onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
        return unknown
    return [tensor_type(found[v.name]) if v.name in found else (None, None) for v in node.outputs]


@cache
def _schema(op: str, opset: int) -> onnx.defs.OpSchema | None:
    return onnx.defs.get_schema(op, opset, "") if onnx.defs.has(op, opset, "") else None
