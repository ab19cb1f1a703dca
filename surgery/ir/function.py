"""Functions: a body of nodes that stands for one, of the model's own or as ONNX defines an operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import onnx

from surgery.ir.exporter import Exporter, Weights, type_of
from surgery.ir.graph import Graph, Node
from surgery.ir.importer import Importer, plain_attribute
from surgery.ir.model import Model
from surgery.ir.weights import Weight

Key: TypeAlias = "tuple[str, str, str]"
"""Domain, name and overload: what a node names a function by."""
_Schema: TypeAlias = Any
"""An ``onnx.defs.OpSchema``, whose stubs lack what concerns functions."""


@dataclass(frozen=True)
class Function:
    """A function.

    Attributes:
        body: its nodes; they refer to attributes of the call by AttributeProtos with a ``ref_attr_name``.
        defaults: attributes that a call may leave out, and what they are then.
        opsets: version of each operator domain that the body is written in.
    """

    body: Graph
    defaults: Mapping[str, Any]
    opsets: Mapping[str, int]


def key(node: Node) -> Key:
    """The name of the function that ``node`` calls, if it calls one."""
    return ("" if node.is_onnx else node.domain, node.op, node.overload)


def functions(model: Model) -> dict[Key, Function]:
    """The functions of ``model`` by name."""
    found: dict[Key, Function] = {}
    for body, header in zip(model.functions, model.header.functions, strict=True):
        domain = "" if header.domain == "ai.onnx" else header.domain
        found[domain, header.name, header.overload] = _function(body, header)
    return found


def definition(node: Node, opset: int) -> Function | None:
    """The function by which ONNX defines an operator, for the operands of ``node``, in the form for ``opset``.

    None where ONNX has none: for the operator, the opset, or operands of these types.
    """
    if not onnx.defs.has(node.op, opset, ""):
        return None
    schema: _Schema = onnx.defs.get_schema(node.op, opset, "")
    data = _stated(schema, opset) or _built(schema, node, opset)
    if not data:
        return None
    header = onnx.FunctionProto.FromString(data)
    function = _function(Importer(Weight.from_proto).function(header), header)
    return Function(function.body, {**_schema_defaults(schema), **function.defaults}, function.opsets)


def _function(body: Graph, header: onnx.FunctionProto) -> Function:
    defaults = {a.name: plain_attribute(a) for a in header.attribute_proto}
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in header.opset_import}
    return Function(body, defaults, opsets)


def _stated(schema: _Schema, opset: int) -> bytes | None:
    """The serialised body that is the same for all operands."""
    versions = [v for v in schema.function_opset_versions if v <= opset]
    return bytes(schema.get_function_with_opset_version(max(versions))) if versions else None


def _built(schema: _Schema, node: Node, opset: int) -> bytes | None:
    """The serialised body that onnx builds for operands like these."""
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    if not versions:
        return None
    types = [(type_of(t) or onnx.TypeProto()).SerializeToString() for t in node.inputs]
    proto = Exporter(Weights.INPUTS, opset).node(node)
    proto.output[:] = [f"output_{i}" for i in range(len(schema.outputs))]  # a body lacks what a call leaves out
    try:
        return bytes(
            schema.get_context_dependent_function_with_opset_version(max(versions), proto.SerializeToString(), types)
        )
    except (RuntimeError, ValueError, onnx.checker.ValidationError):
        return None


def _schema_defaults(schema: _Schema) -> dict[str, Any]:
    stated = ((name, a.default_value) for name, a in schema.attributes.items())
    return {name: plain_attribute(value) for name, value in stated if value.type}
