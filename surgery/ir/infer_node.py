"""Types of what a single new node computes, by onnx's inference of that operator."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import TypeAlias

import onnx

from surgery.ir.exporter import INLINE_BYTES, Exporter, Weights, type_of
from surgery.ir.graph import Constant, DType, Node, Shape, Tensor
from surgery.ir.importer import tensor_type

Types: TypeAlias = "list[tuple[DType | None, Shape | None]]"
Known: TypeAlias = "Mapping[str, onnx.TensorProto]"

BY_TYPE = frozenset(
    {"Add", "BatchNormalization", "Conv", "ConvTranspose", "Div", "Gemm", "MatMul", "Mul", "PRelu", "Pow", "Sub"}
)
"""Operators whose inference does not look at what constants hold."""
MOST = 20_000
"""Answers that are kept; less than a kilobyte each."""
PLAIN = (int, float, str, bytes)

_answers: dict[Hashable, Types] = {}


def infer_node(node: Node, opset: int, known: Known | None = None) -> Types:
    """Dtype and shape per output of ``node``; (None, None) where its operator has no inference, or an operand no type.

    ``known`` holds the content of inputs that are no constants, by name. Most nodes of a network are alike: what was
    inferred of one with the same attributes, operand types and contents is remembered.
    """
    schema = _schema(node.op, opset) if node.is_onnx else None
    if schema is None:
        return [(None, None)] * len(node.outputs)
    held = {} if node.op in BY_TYPE else _held(node, known or {})
    key = _form(node, opset, held)
    found = None if key is None else _answers.get(key)
    if found is None:
        found = _infer(node, opset, schema, held)
        if key is not None:
            if len(_answers) >= MOST:
                _answers.clear()
            _answers[key] = found
    return list(found)


def _held(node: Node, known: Known) -> dict[str, onnx.TensorProto]:
    """What is known of the content of inputs, by name."""
    constants = (t for t in node.inputs if isinstance(t, Constant))
    light = (t for t in constants if t.nbytes <= INLINE_BYTES and not t.weight.missing)
    return {t.name: t.weight.to_proto(t.name) for t in light} | dict(known)


def _form(node: Node, opset: int, held: Known) -> Hashable | None:
    """All that inference looks at but names; None where it has no simple form."""
    attrs = []
    for name, value in node.attrs.items():
        if type(value) is list and (not value or type(value[0]) in PLAIN):
            attrs.append((name, tuple(value)))
        elif type(value) in PLAIN:
            attrs.append((name, value))
        else:
            return None
    for tensor in node.inputs:
        if getattr(tensor, "type_proto", None) is not None:
            return None
    if held:
        inputs = tuple([_operand(t, held) for t in node.inputs])
    else:
        inputs = tuple([(t.dtype, t.shape) if t.name else None for t in node.inputs])
    return node.op, opset, tuple(attrs), inputs, tuple([bool(v.name) for v in node.outputs])


def _operand(tensor: Tensor, held: Known) -> Hashable:
    if not tensor.name:
        return None
    content = held.get(tensor.name)
    if content is None:
        return tensor.dtype, tensor.shape
    return tensor.dtype, tensor.shape, content.raw_data, tuple(content.string_data)


def _infer(node: Node, opset: int, schema: onnx.defs.OpSchema, held: dict[str, onnx.TensorProto]) -> Types:
    unknown: Types = [(None, None)] * len(node.outputs)
    types = {t.name: kind for t in node.inputs if t.name and (kind := type_of(t)) is not None}
    if any(t.name and t.name not in types for t in node.inputs):
        return unknown
    proto = Exporter(Weights.INPUTS, opset).node(node)
    try:
        found = onnx.shape_inference.infer_node_outputs(schema, proto, types, held)
    except (RuntimeError, onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
        return unknown
    return [tensor_type(found[v.name]) if v.name in found else (None, None) for v in node.outputs]


@cache
def _schema(op: str, opset: int) -> onnx.defs.OpSchema | None:
    """The schema of an operator that has inference, None for others."""
    schema = onnx.defs.get_schema(op, opset, "") if onnx.defs.has(op, opset, "") else None
    return schema if schema is not None and schema.has_type_and_shape_inference_function else None
