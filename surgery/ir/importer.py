"""From protobuf to :class:`~surgery.ir.graph.Graph`.

Two sweeps per graph: the first declares inputs, initializers and node outputs, the second links the nodes. So a
file may be in any order, and a body sees the names of the graphs around it. ``Constant`` nodes become constants
here; everything else that is changed at load is the business of :mod:`surgery.ir.normalise`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto

from surgery.errors import ModelError
from surgery.ir.graph import Constant, Dim, DType, Graph, Node, Shape, Tensor, Value
from surgery.ir.notes import counted
from surgery.ir.weights import Weight

Reader = Callable[[TensorProto], Weight]
Scope = Mapping[str, Tensor]
Array = np.ndarray[Any, Any]
DENSE_BYTES = 256 << 20
"""Largest dense form of a sparse tensor."""

_PLAIN: dict[int, Callable[[AttributeProto], Any]] = {
    AttributeProto.FLOAT: lambda a: a.f,
    AttributeProto.INT: lambda a: a.i,
    AttributeProto.FLOATS: lambda a: list(a.floats),
    AttributeProto.INTS: lambda a: list(a.ints),
    AttributeProto.STRING: lambda a: _text(a.s),
    AttributeProto.STRINGS: lambda a: [_text(s) for s in a.strings],
}


class Importer:
    """Builds graphs; ``read`` turns a TensorProto into the weight it stands for.

    ``constants`` collects every constant that was defined, read or not.
    """

    def __init__(self, read: Reader) -> None:
        self.read = read
        self.constants: list[Constant] = []
        self._said: list[str] = []
        self._lifted: list[str] = []
        self._stale: list[str] = []
        self._unannotated: list[str] = []

    @property
    def notes(self) -> list[str]:
        """What importing changed, a sentence each."""
        return [
            *self._said,
            *counted("Constant nodes made constants", self._lifted),
            *counted("types of values that nothing computes left out", self._stale),
            *counted("quantisation annotations of values that nothing computes left out", self._unannotated),
        ]

    def graph(self, proto: onnx.GraphProto, outer: Scope, owner: Node | None = None) -> Graph:
        """The graph of ``proto``; ``outer`` holds the tensors of the graphs around it, by name."""
        graph = Graph(proto.name, owner=owner)
        graph.doc_string = proto.doc_string
        graph.metadata = {p.key: p.value for p in proto.metadata_props}
        local: dict[str, Tensor] = {}
        self._initializers(proto, graph, local)
        self._inputs(proto, graph, local)
        lifted = self._declare(proto.node, graph, local)
        self._describe(proto, graph, local)
        scope = {**outer, **local}
        self._nodes((n for i, n in enumerate(proto.node) if i not in lifted), graph, scope)
        graph.outputs = [self._output(info, scope, graph) for info in proto.output]
        return graph

    def function(self, proto: onnx.FunctionProto) -> Graph:
        """The body of a model function as a graph whose values have no types."""
        graph = Graph(proto.name)
        graph.doc_string = proto.doc_string
        scope: dict[str, Tensor] = {name: Value(name) for name in proto.input}
        graph.inputs = [scope[name] for name in proto.input]
        lifted = self._declare(proto.node, graph, scope)
        self._nodes((n for i, n in enumerate(proto.node) if i not in lifted), graph, scope)
        graph.outputs = [self._lookup(name, scope, f"function {proto.name!r}") for name in proto.output]
        return graph

    def _initializers(self, proto: onnx.GraphProto, graph: Graph, local: dict[str, Tensor]) -> None:
        for tensor in proto.initializer:
            weight = self.read(tensor)
            if (known := local.get(tensor.name)) is not None:
                self._same_twice(known, weight)
                continue
            local[tensor.name] = self._constant(tensor.name, weight, graph, tensor)
        for sparse in proto.sparse_initializer:
            name = sparse.values.name
            local[name] = self._constant(name, self._dense(sparse, name), graph, sparse.values)

    def _constant(self, name: str, weight: Weight, graph: Graph, said: onnx.TensorProto | onnx.NodeProto) -> Constant:
        """A constant of ``graph`` with the documentation and metadata of ``said``."""
        constant = Constant(name, weight)
        fields = constant.__dict__  # graphsurgeon's __setattr__ would take most of the time
        fields["home"], fields["doc_string"] = graph, said.doc_string
        fields["metadata"] = {p.key: p.value for p in said.metadata_props}
        self.constants.append(constant)
        return constant

    def _same_twice(self, known: Tensor, weight: Weight) -> None:
        if not (isinstance(known, Constant) and _same_bytes(known.weight, weight)):
            raise ModelError(f"initializer {known.name!r} is defined twice with different values")
        self._said.append(f"initializer {known.name!r} was stored twice; one copy kept")

    def _describe(self, proto: onnx.GraphProto, graph: Graph, local: dict[str, Tensor]) -> None:
        """What the file says about values of the graph; what it says of others is left out."""
        for info in proto.value_info:
            if (known := local.get(info.name)) is not None:
                describe(known, info)
            else:
                self._stale.append(info.name)
        for entry in proto.quantization_annotation:
            if entry.tensor_name in local:
                graph.annotations.append(entry)
            else:
                self._unannotated.append(entry.tensor_name)

    def _inputs(self, proto: onnx.GraphProto, graph: Graph, local: dict[str, Tensor]) -> None:
        for info in proto.input:
            if isinstance(local.get(info.name), Constant):
                graph.inputs.append(local[info.name])
                continue
            if info.name in local:
                raise ModelError(f"graph input {info.name!r} is declared twice")
            value = local[info.name] = Value(info.name)
            describe(value, info)
            graph.inputs.append(value)

    def _declare(self, nodes: Iterable[onnx.NodeProto], graph: Graph, local: dict[str, Tensor]) -> set[int]:
        lifted = set()
        for index, node in enumerate(nodes):
            names = node.output
            for name in names:
                if name in local:
                    raise ModelError(f"tensor {name!r} is defined twice", where=_place(node))
            weight = self._constant_node(node) if node.op_type == "Constant" else None
            if weight is not None:
                local[names[0]] = self._constant(names[0], weight, graph, node)
                self._lifted.append(names[0])
                lifted.add(index)
                continue
            for name in names:
                if name:
                    local[name] = Value(name)
        return lifted

    def _constant_node(self, node: onnx.NodeProto) -> Weight | None:
        if node.domain not in ("", "ai.onnx") or len(node.attribute) != 1:
            return None
        attribute = node.attribute[0]
        if attribute.ref_attr_name:
            return None
        if attribute.name == "value":
            return self.read(attribute.t)
        if attribute.name == "sparse_value":
            return self._dense(attribute.sparse_tensor, node.output[0])
        plain = _PLAIN.get(attribute.type)
        return None if plain is None else literal(attribute.name, plain(attribute))

    def _dense(self, sparse: onnx.SparseTensorProto, name: str) -> Weight:
        self._said.append(f"sparse tensor {name!r} made dense")
        return densify(self.read(sparse.values).array(), self.read(sparse.indices).array(), tuple(sparse.dims), name)

    def _nodes(self, protos: Iterable[onnx.NodeProto], graph: Graph, scope: dict[str, Tensor]) -> None:
        nodes = graph.nodes
        for index, proto in enumerate(protos):
            try:
                inputs = [scope[name] if name else Value.empty() for name in proto.input]
                outputs = [scope[name] if name else Value.empty() for name in proto.output]
            except KeyError as missing:
                raise _undefined(missing.args[0], _place(proto)) from None
            node = Node(proto.op_type, proto.name, None, inputs, outputs, proto.domain)
            fields = node.__dict__  # as above
            fields["graph"], fields["position"] = graph, (index,)
            if proto.overload or proto.doc_string:
                fields["overload"], fields["doc_string"] = proto.overload, proto.doc_string
            if proto.metadata_props:
                node.metadata.update((p.key, p.value) for p in proto.metadata_props)
            for attribute in proto.attribute:
                node.attrs[attribute.name] = self._attribute(attribute, scope, node)
            nodes.append(node)

    def _lookup(self, name: str, scope: Scope, place: str) -> Tensor:
        if not name:
            return Value.empty()
        try:
            return scope[name]
        except KeyError:
            raise _undefined(name, place) from None

    def _output(self, info: onnx.ValueInfoProto, scope: Scope, graph: Graph) -> Tensor:
        value = self._lookup(info.name, scope, f"output of graph {graph.name!r}")
        describe(value, info)
        return value

    def _attribute(self, proto: AttributeProto, scope: Scope, node: Node) -> Any:
        if proto.ref_attr_name:
            return _own(proto)
        if proto.type == AttributeProto.TENSOR:
            return Constant(proto.t.name, self.read(proto.t))
        if proto.type == AttributeProto.GRAPH:
            return self.graph(proto.g, scope, node)
        plain = _PLAIN.get(proto.type)
        if plain is None:
            return _own(proto)
        value = plain(proto)
        return _own(proto) if value == [] and not node.is_onnx else value


def literal(name: str, value: Any) -> Weight:
    """What a Constant holds whose attribute ``name`` (``value_float``, ``value_ints`` ...) is ``value``."""
    dtype = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    return Weight.of(np.array(value, dtype.get(name, np.object_)))


def densify(values: Array, indices: Array, shape: tuple[int, ...], name: str) -> Weight:
    """The dense weight of a sparse one; raises ModelError for indices outside ``shape`` or over 256 MiB."""
    size = math.prod(shape) * values.itemsize
    if size > DENSE_BYTES:
        raise ModelError(f"sparse tensor {name!r} would take {size >> 20} MiB as a dense one")
    try:
        places = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), shape)
        dense = np.zeros(shape, values.dtype)
        dense.reshape(-1)[places] = values
    except (ValueError, IndexError) as error:
        raise ModelError(f"sparse tensor {name!r} has indices outside its shape {list(shape)}") from error
    if places.size and places.min() < 0:
        raise ModelError(f"sparse tensor {name!r} has negative indices")
    return Weight.of(dense)


def describe(value: Tensor, info: onnx.ValueInfoProto) -> None:
    """Give ``value`` the documentation and metadata of ``info``, and its type unless it is a constant."""
    fields = value.__dict__  # as in Importer
    if info.doc_string:
        fields["doc_string"] = info.doc_string
    if info.metadata_props:
        value.metadata.update({p.key: p.value for p in info.metadata_props})
    if isinstance(value, Constant) or not info.HasField("type"):
        return
    if not info.type.HasField("tensor_type") or _is_denoted(info.type):
        value.type_proto = onnx.TypeProto()
        value.type_proto.CopyFrom(info.type)
    if info.type.HasField("tensor_type"):
        fields["dtype"], fields["shape"] = tensor_type(info.type)


def _is_denoted(proto: onnx.TypeProto) -> bool:
    return bool(proto.denotation) or any(dim.denotation for dim in proto.tensor_type.shape.dim)


def tensor_type(proto: onnx.TypeProto) -> tuple[DType | None, Shape | None]:
    """The numpy dtype and shape of a dense tensor type; ``unk__N`` dims, which inference makes up, are None."""
    return _tensor_type(proto.SerializeToString())


@lru_cache(4096)
def _tensor_type(data: bytes) -> tuple[DType | None, Shape | None]:
    """Of serialised types: there are few in a model, and reading one field by field takes microseconds."""
    tensor = onnx.TypeProto.FromString(data).tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)) if tensor.elem_type else None
    shape = tuple(_dim(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
    return dtype, shape


def _dim(proto: onnx.TensorShapeProto.Dimension) -> Dim:
    kind = proto.WhichOneof("value")
    if kind == "dim_value":
        return proto.dim_value if proto.dim_value >= 0 else None
    if kind == "dim_param" and proto.dim_param and not proto.dim_param.startswith("unk__"):
        return proto.dim_param
    return None


def plain_attribute(proto: AttributeProto) -> Any:
    """The Python value of a number, string or list attribute, a constant for a tensor."""
    if proto.type == AttributeProto.TENSOR:
        return Constant(proto.t.name, Weight.from_proto(proto.t))
    return _PLAIN[proto.type](proto)


def _own(proto: AttributeProto) -> AttributeProto:
    copy = AttributeProto()
    copy.CopyFrom(proto)
    return copy


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _same_bytes(a: Weight, b: Weight) -> bool:
    return (a.elem_type, a.shape) == (b.elem_type, b.shape) and np.array_equal(a.array(), b.array())


def _undefined(name: str, where: str) -> ModelError:
    return ModelError(f"reads {name!r}, which nothing defines", where=where)


def _place(node: onnx.NodeProto) -> str:
    return f"node {node.name!r} ({node.op_type})" if node.name else f"unnamed {node.op_type} node"
