"""What holds for every operator: its attributes, inputs and types have to be of the opset that is written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import defs

from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Mismatch, Rewriter

HARMLESS = {
    "Cast": ("saturate", "round_mode"),
    "Dropout": ("seed",),
    "QuantizeLinear": ("saturate", "precision", "output_dtype"),
    "DequantizeLinear": ("output_dtype",),
}
"""Attributes that decide nothing for the types that older opsets have."""


def fit(node: Node, source: int, rw: Rewriter) -> None:
    """Hold ``node`` against the schema of the rewriter's opset, and drop attributes that only say their default.

    Raises:
        Mismatch: the operator does not exist there, or has not this attribute, input or type.
    """
    if is_same(node.op, source, rw.opset):
        return
    schema = _schema(node.op, rw.opset)
    if schema is None or schema.deprecated:
        since = min(v.since_version for v in _versions(node.op))
        raise Mismatch(f"there is no {node.op} in opset {rw.opset}, it is of opset {since}", node)
    given = _schema(node.op, source)
    if given is None:
        return
    for name in [name for name in node.attrs if name not in _attributes(node.op, rw.opset)]:
        if not _says_default(node, name, given):
            raise Mismatch(_new(f"{name}={_short(node.attrs[name])}", rw.opset), node)
        rw.editor.set_attr(node, name, None)
    if len(node.inputs) > schema.max_input:
        raise Mismatch(_new(f"input {len(node.inputs) - 1} ({node.inputs[-1].name!r})", rw.opset), node)
    for tensor, types in _typed(node, rw.opset):
        if (kind := type_name(tensor)) not in types:
            raise Mismatch(_new(f"{kind} for {tensor.name!r}", rw.opset), node)


def _new(what: str, opset: int) -> str:
    return f"{what} is not there yet in opset {opset}"


def _typed(node: Node, opset: int) -> Iterator[tuple[Tensor, frozenset[str]]]:
    """The tensors of ``node`` whose type is known, with the types that its operator allows them in ``opset``."""
    for tensors, formal in zip((node.inputs, node.outputs), _formals(node.op, opset), strict=True):
        for index, tensor in enumerate(tensors if formal else ()):
            if type_name(tensor) and not tensor.is_empty():
                yield tensor, formal[min(index, len(formal) - 1)]


@cache
def _formals(op: str, opset: int) -> tuple[tuple[frozenset[str], ...], tuple[frozenset[str], ...]]:
    """The types that the inputs and the outputs of an operator may be of."""
    schema = defs.get_schema(op, opset, "")
    return tuple(map(_types, schema.inputs)), tuple(map(_types, schema.outputs))


@cache
def is_same(op: str, source: int, opset: int) -> bool:
    """Whether an operator is in both opsets what it is in the other, and is there."""
    given, wanted = _schema(op, source), _schema(op, opset)
    if given is None or wanted is None or wanted.deprecated:
        return False
    return given.since_version == wanted.since_version


def takes(op: str, opset: int, tensor: Tensor) -> bool:
    """Whether the first input of an operator may be of the type of ``tensor``."""
    schema = _schema(op, opset)
    return schema is not None and (not (kind := type_name(tensor)) or kind in _types(schema.inputs[0]))


def _types(formal: defs.OpSchema.FormalParameter) -> frozenset[str]:
    """The types of a formal parameter without ``tensor()``; sequences and the like by their kind alone."""
    return _plain_types(tuple(formal.types))


@cache
def _plain_types(types: tuple[str, ...]) -> frozenset[str]:
    return frozenset(t[7:-1] if t.startswith("tensor(") else t.partition("(")[0] for t in types)


def type_name(tensor: Tensor) -> str:
    """``float``, ``int64`` and the like of a dense tensor, ``seq`` or ``optional`` of others, "" where not known."""
    if tensor.dtype is not None:
        return _dtype_name(tensor.dtype)
    proto = getattr(tensor, "type_proto", None)
    kind = None if proto is None else proto.WhichOneof("value")
    return {"sequence_type": "seq", "optional_type": "optional"}.get(kind or "", "")


@cache
def _dtype_name(dtype: np.dtype[Any]) -> str:
    kind = onnx.TensorProto.STRING if dtype.kind in "OUS" else onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return str(onnx.TensorProto.DataType.Name(kind)).lower()


def _says_default(node: Node, name: str, schema: defs.OpSchema) -> bool:
    """Whether leaving out an attribute changes nothing."""
    if name in HARMLESS.get(node.op, ()):
        return True
    stated = node.attrs[name]
    if name == "dilations":
        return all(v == 1 for v in stated)
    if name == "allowzero":
        shape = ops.constant(node.input(1))
        return not stated or (shape is not None and bool(np.all(shape != 0)))
    formal = schema.attributes.get(name)
    if formal is None or not formal.default_value.name:
        return False
    default = onnx.helper.get_attribute_value(formal.default_value)
    return bool(stated == (default.decode() if isinstance(default, bytes) else default))


def _short(value: Any) -> str:
    return str(value)[:40]


@cache
def _schema(op: str, opset: int) -> defs.OpSchema | None:
    return defs.get_schema(op, opset, "") if defs.has(op, opset, "") else None


@cache
def _attributes(op: str, opset: int) -> frozenset[str]:
    """The names of the attributes that an operator has in an opset: reading them off the schema takes microseconds."""
    schema = _schema(op, opset)
    return frozenset() if schema is None else frozenset(schema.attributes)


@cache
def _versions(op: str) -> tuple[defs.OpSchema, ...]:
    return tuple(s for s in defs.get_all_schemas_with_history() if s.name == op and s.domain == "")
