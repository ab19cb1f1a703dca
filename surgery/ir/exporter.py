"""From :class:`~surgery.ir.graph.Graph` to protobuf.

Every export makes new protos; nothing of the graph is shared with them. ``Weights`` says what becomes of constants
over :data:`INLINE_BYTES`: ``INLINE`` writes their bytes, ``EXTERNAL`` declares them as external data for
onnxruntime, ``INPUTS`` declares them as graph inputs, which is what ``onnx.checker`` and shape inference take.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto

from surgery.errors import DefectError
from surgery.ir.graph import Constant, Graph, Node, Shape, Tensor, Value

INLINE_BYTES = 1024
"""Constants up to this size travel inside light protos, so that inference sees shapes and axes."""
LISTED_BEFORE = 4
"""IR version from which an initializer need not be a graph input, too."""


class Weights(StrEnum):
    """Where the bytes of heavy constants go."""

    INLINE = "inline"
    EXTERNAL = "external"
    INPUTS = "inputs"


def constants_of(graph: Graph) -> Iterator[Constant]:
    """The constants that the nodes and outputs of ``graph`` read, each once, bodies not included."""
    seen: set[int] = set()
    for tensor in (*(t for node in graph.nodes for t in node.inputs), *graph.outputs):
        if isinstance(tensor, Constant) and id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor


def heavy_constants(main: Graph) -> dict[str, Constant]:
    """The constants of ``main`` and its bodies that light exports leave out, by name."""
    return {c.name: c for graph in main.walk() for c in constants_of(graph) if is_heavy(c)}


def is_heavy(constant: Constant) -> bool:
    """Whether light exports leave the bytes of ``constant`` out."""
    return constant.nbytes > INLINE_BYTES and not constant.weight.is_string


class Exporter:
    """Builds protos of graphs and functions in one of the three forms of :class:`Weights`.

    Args:
        weights: what becomes of heavy constants.
        opset: version of the default domain, for the attribute types of its schemas.
        bare: leave out what neither inference nor the checker needs: the types of inner values, the documentation and
            metadata of nodes.
        ir_version: before 4, every initializer has to be listed among the inputs of the main graph, too.
    """

    def __init__(self, weights: Weights, opset: int, *, bare: bool = False, ir_version: int = onnx.IR_VERSION) -> None:
        self.weights, self.opset, self.bare = weights, opset, bare
        self.listed = ir_version < LISTED_BEFORE

    def main(self, graph: Graph, proto: onnx.GraphProto | None = None) -> onnx.GraphProto:
        """The proto of the main graph; in the light forms it holds the heavy constants of every body, too.

        It is written into ``proto`` when given, an empty one.
        """
        homes: dict[int, list[Constant]] = {}
        seen: set[int] = set()
        graphs = list(graph.walk())
        inside = {id(g) for g in graphs}
        for inner in graphs:
            for constant in constants_of(inner):
                if id(constant) not in seen:
                    seen.add(id(constant))
                    home = id(self._home(constant, inner, graph))
                    homes.setdefault(home if home in inside else id(graph), []).append(constant)
        return self._graph(graph, homes, onnx.GraphProto() if proto is None else proto)

    def _home(self, constant: Constant, reader: Graph, main: Graph) -> Graph:
        if self.listed or (self.weights is not Weights.INLINE and is_heavy(constant)):
            return main
        graph: Graph | None = reader
        while graph is not None and graph is not constant.home:
            graph = graph.owner.graph if graph.owner else None
        return graph or main

    def _graph(self, graph: Graph, homes: dict[int, list[Constant]], proto: onnx.GraphProto) -> onnx.GraphProto:
        proto.name = graph.name
        _say(proto, doc_string=graph.doc_string)
        _metadata(proto, graph.metadata)
        for tensor in graph.inputs:
            _describe(tensor, proto.input.add())
        constants = homes.get(id(graph), [])
        listed = {id(v) for v in graph.inputs}
        for constant in constants:
            self._constant(constant, proto, listed)
        for node in graph.nodes:
            self._node(node, proto.node.add(), homes)
        for tensor in graph.outputs:
            _describe(tensor, proto.output.add())
        for tensor in () if self.bare else _typed_inside(graph):
            _describe(tensor, proto.value_info.add())
        if graph.annotations:
            names = {t.name for n in graph.nodes for t in (*n.inputs, *n.outputs)}
            proto.quantization_annotation.extend(a for a in graph.annotations if a.tensor_name in names)
        return proto

    def _constant(self, constant: Constant, proto: onnx.GraphProto, listed: set[int]) -> None:
        left_out = self.weights is Weights.INPUTS and is_heavy(constant)
        if (left_out or self.listed) and id(constant) not in listed:
            _describe(constant, proto.input.add())
        if not left_out:
            declared = self.weights is Weights.EXTERNAL and is_heavy(constant)
            _write(constant, proto.initializer.add(), declared=declared)

    def function(self, graph: Graph, header: onnx.FunctionProto) -> onnx.FunctionProto:
        """The function whose signature is ``header`` with the body ``graph``."""
        proto = onnx.FunctionProto()
        proto.CopyFrom(header)
        for constant in constants_of(graph):
            tensor = onnx.TensorProto()
            _write(constant, tensor)
            proto.node.append(onnx.helper.make_node("Constant", [], [constant.name], value=tensor))
        for node in graph.nodes:
            self._node(node, proto.node.add(), {})
        return proto

    def node(self, node: Node) -> onnx.NodeProto:
        """The proto of one node."""
        proto = onnx.NodeProto()
        self._node(node, proto, {})
        return proto

    def _node(self, node: Node, proto: onnx.NodeProto, homes: dict[int, list[Constant]]) -> None:
        """Write into an empty proto in its place: one that is made apart is copied when it is put there."""
        proto.op_type, proto.name = node.op, node.name
        proto.input.extend([t.name for t in node.inputs])
        proto.output.extend([t.name for t in node.outputs])
        if node.domain or node.overload:
            _say(proto, domain=node.domain, overload=node.overload)
        if not self.bare:
            _say(proto, doc_string=node.doc_string)
            _metadata(proto, node.metadata)
        for name, value in node.attrs.items():
            self._attribute(node, name, value, proto.attribute.add(), homes)

    def _attribute(
        self, node: Node, name: str, value: Any, proto: AttributeProto, homes: dict[int, list[Constant]]
    ) -> None:
        if isinstance(value, AttributeProto):
            proto.CopyFrom(value)
            return
        proto.name = name
        if isinstance(value, (int, float, str, list)):
            _plain(value, attribute_type(node, name, value, self.opset), proto)
        elif isinstance(value, Graph):
            proto.type = AttributeProto.GRAPH
            self._graph(value, homes, proto.g)
        elif isinstance(value, Constant):
            proto.type = AttributeProto.TENSOR
            value.weight.to_proto(value.name, proto.t)
        else:
            _plain(value, attribute_type(node, name, value, self.opset), proto)


def attribute_type(node: Node, name: str, value: Any, opset: int) -> int:
    """The AttributeProto type of ``value``: the schema's when the operator has one, else read off the value."""
    if node.is_onnx and (kind := _schema_types(node.op, opset).get(name)):
        return kind
    many = isinstance(value, (list, tuple, np.ndarray))
    sample = (value[0] if len(value) else 0) if many else value
    kinds = ((bool | int | np.integer, "INT"), (float | np.floating, "FLOAT"), (str | bytes, "STRING"))
    for types, label in kinds:
        if isinstance(sample, types):
            return int(AttributeProto.AttributeType.Value(label + "S" * many))
    raise DefectError(f"attribute {name!r} holds a {type(value).__name__}", where=repr(node))


@cache
def _schema_types(op: str, opset: int) -> dict[str, int]:
    if not onnx.defs.has(op, opset, ""):
        return {}
    number = AttributeProto.AttributeType.Value
    return {
        name: int(number(str(a.type).rpartition(".")[2]))
        for name, a in onnx.defs.get_schema(op, opset, "").attributes.items()
    }


def _plain(value: Any, kind: int, proto: AttributeProto) -> None:
    proto.type = kind  # type: ignore[assignment]
    if kind == AttributeProto.FLOAT:
        proto.f = float(value)
    elif kind == AttributeProto.INT:
        proto.i = int(value)
    elif kind == AttributeProto.STRING:
        proto.s = _bytes(value)
    elif kind == AttributeProto.FLOATS:
        proto.floats.extend(map(float, value))
    elif kind == AttributeProto.INTS:
        proto.ints.extend(map(int, value))
    elif kind == AttributeProto.STRINGS:
        proto.strings.extend(map(_bytes, value))


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _write(constant: Constant, proto: onnx.TensorProto, *, declared: bool = False) -> None:
    """Write into an empty proto in its place, as :meth:`Exporter._node` does."""
    if declared:
        proto.CopyFrom(constant.weight.declare(constant.name))
    else:
        constant.weight.to_proto(constant.name, proto)
    _say(proto, doc_string=constant.doc_string)
    _metadata(proto, constant.metadata)


def _typed_inside(graph: Graph) -> Iterator[Value]:
    listed = {id(v) for v in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        for value in node.outputs:
            if value.name and (value.dtype is not None or value.type_proto) and id(value) not in listed:
                yield value


def value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    """Name, type, documentation and metadata of a tensor as a proto."""
    info = onnx.ValueInfoProto()
    _describe(tensor, info)
    return info


def _describe(tensor: Tensor, info: onnx.ValueInfoProto) -> None:
    info.name = tensor.name
    if tensor.doc_string:
        info.doc_string = tensor.doc_string
    _metadata(info, tensor.metadata)
    if (known := type_of(tensor)) is not None:
        info.type.CopyFrom(known)


def type_of(tensor: Tensor) -> onnx.TypeProto | None:
    """The type of a tensor, None when nothing is known of it. Not to be written to: tensors share it."""
    stated: onnx.TypeProto | None = tensor.type_proto if isinstance(tensor, Value) else None
    if stated is not None and not stated.HasField("tensor_type"):
        return stated
    if tensor.dtype is None:
        return None
    proto: onnx.TypeProto = _tensor_type(elem_type(tensor), tensor.shape)
    return proto if stated is None else _denoted(proto, stated)


@lru_cache(4096)
def _tensor_type(elem: int, shape: Shape | None) -> onnx.TypeProto:
    """A type, to be copied: there are few in a model, and building one takes microseconds."""
    proto = onnx.TypeProto()
    proto.tensor_type.elem_type = elem
    if shape is not None:
        proto.tensor_type.shape.SetInParent()
        for dim in shape:
            target = proto.tensor_type.shape.dim.add()
            if isinstance(dim, str):
                target.dim_param = dim
            elif dim is not None:
                target.dim_value = int(dim)
    return proto


def _denoted(known: onnx.TypeProto, stated: onnx.TypeProto) -> onnx.TypeProto:
    """The type with the denotations of ``stated``, those of dims where the rank is still the same."""
    proto = onnx.TypeProto()
    proto.CopyFrom(known)
    _say(proto, denotation=stated.denotation)
    dims, old = proto.tensor_type.shape.dim, stated.tensor_type.shape.dim
    for target, source in zip(dims, old, strict=True) if len(dims) == len(old) else ():
        _say(target, denotation=source.denotation)
    return proto


def elem_type(tensor: Tensor) -> int:
    """The TensorProto element type of a tensor with a known dtype."""
    if isinstance(tensor, Constant):
        return tensor.weight.elem_type
    return _elem_type(tensor.dtype)


@cache
def _elem_type(dtype: object) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))  # type: ignore[call-overload]


def _say(proto: Any, **texts: str) -> None:
    """Set text fields; an empty one stays absent, as files have it."""
    for name, text in texts.items():
        if text:
            setattr(proto, name, text)


def _metadata(proto: Any, entries: dict[str, str]) -> None:
    for key, value in entries.items():
        proto.metadata_props.add(key=key, value=value)
