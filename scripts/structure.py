"""What a saved model lost of the file it came from, by comparing the two protos.

Nodes are paired by what they compute, or else in order, and names are followed from pair to pair. Every difference is
a :class:`Loss`; those whose kind loading reports (:data:`REPORTED`) are excused by a sentence of ``normalised``.
"""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

REPORTED = {
    "constant-node": r"Constant nodes made constants \((\d+)\)",
    "identity": r"Identity of a constant replaced by the constant \((\d+)\)",
    "unnamed": r"(\d+) unnamed nodes were given names",
    "node-renamed": r"(\d+) nodes shared a name",
    "tensor-renamed": r"(\d+) tensors of inner graphs shared a name",
    "input-initializer": r"initializer that was also a graph input made a constant \((\d+)\)",
    "unused": r"constants that nothing reads left out \((\d+)\)",
    "twice": r"initializer '.*' was stored twice",
    "sparse": r"sparse tensor '.*' made dense",
    "order": r"nodes of graph '.*' put in topological order",
    "type": r"repaired: .*'.*' was stated",
    "stale-type": r"types of values that nothing computes left out \((\d+)\)",
    "annotation": r"quantisation annotations of values that nothing computes left out \((\d+)\)",
    "domain": r"operator domain .* was used without an import",
}
"""Kinds of losses that loading is allowed to make, and how it says so; a group counts."""


class Loss(NamedTuple):
    """One difference: ``kind`` is a key of :data:`REPORTED`, or ``lost``, which nothing excuses."""

    kind: str
    text: str


def unreported(old: onnx.ModelProto, new: onnx.ModelProto, notes: Sequence[str]) -> list[str]:
    """What of ``old`` is not in ``new`` and not in ``notes`` either, a sentence each."""
    losses = list(dict.fromkeys(compare(old, new)))
    excused = {kind: sum(_counts(pattern, notes)) for kind, pattern in REPORTED.items()}
    found = Counter(loss.kind for loss in losses)
    return [f"{k}: {t}" for k, t in losses if found[k] > excused.get(k, 0)]


def _counts(pattern: str, notes: Sequence[str]) -> Iterator[int]:
    for note in notes:
        if (match := re.search(pattern, note)) is not None:
            yield int(match[1]) if match.groups() else 1


def compare(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Loss]:
    """Every loss from ``old`` to ``new``."""
    yield from _fields(old, new, "model", {"graph", "functions", "opset_import"})
    kept = {(o.domain, o.version) for o in new.opset_import}
    for entry in old.opset_import:
        if (entry.domain, entry.version) not in kept:
            yield Loss("lost", f"opset import {entry.domain!r} {entry.version}")
    if len(new.opset_import) > len(old.opset_import):
        yield from [Loss("domain", "opset import added")] * (len(new.opset_import) - len(old.opset_import))
    yield from _Scope(ChainMap(), ChainMap(), ChainMap()).graph(old.graph, new.graph)
    if len(old.functions) != len(new.functions):
        yield Loss("lost", f"{len(old.functions)} functions became {len(new.functions)}")
    for a, b in zip(old.functions, new.functions, strict=False):
        yield from _fields(a, b, f"function {a.name}", {"node"})
        scope = _Scope(ChainMap(), ChainMap(), ChainMap())
        scope.names.update({name: name for name in a.input})
        yield from scope.nodes(a.node, b.node, a.name)
        yield from scope.left_out()


def _fields(old: Any, new: Any, where: str, skipped: set[str]) -> Iterator[Loss]:
    """Fields that differ; a list of entries is compared as a set, since their order says nothing."""
    there = {field.name: value for field, value in new.ListFields()}
    for field, value in old.ListFields():
        if field.name not in skipped and value and _plain(value) != _plain(there.get(field.name)):
            yield Loss("lost", f"{where}: field {field.name} was {str(value)[:80]!r}")


def _plain(value: Any) -> Any:
    if hasattr(value, "SerializeToString"):
        return value.SerializeToString(deterministic=True)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return value
    return sorted((_plain(v) for v in value), key=repr)


class _Scope:
    """One graph and those around it: old names to new ones, and the constants of both by name."""

    def __init__(self, names: ChainMap[str, str], old: ChainMap[str, Any], new: ChainMap[str, Any]) -> None:
        self.names, self.old, self.new = names.new_child(), old.new_child(), new.new_child()

    def graph(self, old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Loss]:
        yield from _fields(old, new, f"graph {old.name}", set(_OWN))
        yield from self._initializers(old, new)
        yield from self._inputs(old, new)
        yield from self.nodes(old.node, new.node, old.name)
        if len(old.output) != len(new.output):
            yield Loss("lost", f"{len(old.output)} outputs became {len(new.output)}")
        for a, b in zip(old.output, new.output, strict=False):
            yield from self.bind(a.name, b.name, f"output of graph {old.name}")
            yield from _described(a, b, strict=len(self.names.maps) == 2)
        yield from self._types(old, new)
        yield from self._annotations(old, new)
        yield from self.left_out()

    def _initializers(self, old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Loss]:
        for tensor in old.initializer:
            if tensor.name in self.old.maps[0]:
                yield Loss("twice", tensor.name)
            self.old[tensor.name] = tensor
        for sparse in old.sparse_initializer:
            self.old[sparse.values.name] = _dense(sparse, sparse.values.name)
            yield Loss("sparse", sparse.values.name)
        self.new.update({t.name: t for t in new.initializer})

    def _inputs(self, old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Loss]:
        kept = {i.name for i in new.input}
        yield from [Loss("input-initializer", i.name) for i in old.input if i.name in self.old and i.name not in kept]
        fed = [[i for i in g.input if i.name not in known] for g, known in ((old, self.old), (new, self.new))]
        if len(fed[0]) != len(fed[1]):
            yield Loss("lost", f"{len(fed[0])} inputs of graph {old.name!r} became {len(fed[1])}")
        for a, b in zip(*fed, strict=False):
            self.names[a.name] = b.name
            yield from [Loss("tensor-renamed", f"input {a.name} became {b.name}")] * (a.name != b.name)
            yield from _described(a, b, strict=len(self.names.maps) == 2)

    def nodes(self, old: Iterable[onnx.NodeProto], new: Iterable[onnx.NodeProto], graph: str) -> Iterator[Loss]:
        """Compare node lists, lifted constants apart."""
        before = [n for n in old if not self._lifted(n, self.old)]
        yield from [Loss("constant-node", n.output[0]) for n in old if n not in before]
        after = [n for n in new if not self._lifted(n, self.new)]
        place = {_key(n): i for i, n in enumerate(after)}
        gone = [n for n in before if n.op_type == "Identity" and _key(n) not in place and len(before) > len(after)]
        for node in self._aliases(gone):
            before.remove(node)
            yield Loss("identity", node.output[0])
        if len(before) != len(after):
            yield Loss("lost", f"{len(before)} nodes of graph {graph!r} became {len(after)}")
        pairs = list(_pair(before, after, place))
        for a, b in pairs:
            yield from self._outputs(a, b)
        order = [after.index(b) if len(after) < 500 else place.get(_key(b), 0) for _, b in pairs]
        if order != sorted(order):
            yield Loss("order", graph)
        for a, b in pairs:
            yield from self._node(a, b)

    def _lifted(self, node: onnx.NodeProto, constants: ChainMap[str, Any]) -> bool:
        if node.op_type != "Constant" or node.domain not in ("", "ai.onnx"):
            return False
        if any(a.ref_attr_name for a in node.attribute):
            return False
        constants[node.output[0]] = _value(node)
        return True

    def _aliases(self, nodes: list[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        """Those Identity nodes that only name a constant again."""
        for node in nodes:
            if node.input[0] in self.old:
                self.old[node.output[0]] = self.old[node.input[0]]
                yield node

    def _outputs(self, old: onnx.NodeProto, new: onnx.NodeProto) -> Iterator[Loss]:
        if len(old.output) != len(new.output):
            yield Loss("lost", f"{old.op_type} {old.name!r}: {len(old.output)} outputs became {len(new.output)}")
        for a, b in zip(old.output, new.output, strict=False):
            self.names[a] = b
            if a != b:
                yield Loss("tensor-renamed" if a and b else "lost", f"{a!r} became {b!r}")

    def _node(self, old: onnx.NodeProto, new: onnx.NodeProto) -> Iterator[Loss]:
        where = f"{old.op_type} {old.name or list(old.output)}"
        yield from _fields(old, new, where, {"name", "input", "output", "attribute"})
        if old.name != new.name:
            yield Loss("node-renamed" if old.name else "unnamed", f"{old.name!r} became {new.name!r}")
        if len(old.input) != len(new.input):
            yield Loss("lost", f"{where}: {len(old.input)} inputs became {len(new.input)}")
        for a, b in zip(old.input, new.input, strict=False):
            yield from self.bind(a, b, where)
        attributes = {a.name: a for a in new.attribute}
        for attribute in old.attribute:
            if attribute.name not in attributes:
                yield Loss("lost", f"{where}: attribute {attribute.name}")
            else:
                yield from self._attribute(attribute, attributes.pop(attribute.name), where)
        yield from [Loss("lost", f"{where}: has a new attribute {name}") for name in attributes]

    def _attribute(self, old: AttributeProto, new: AttributeProto, where: str) -> Iterator[Loss]:
        where = f"{where}: attribute {old.name}"
        yield from _fields(old, new, where, {"g", "graphs", "t"})
        if old.HasField("t"):
            yield from _tensor(old.t, new.t, where)
        inner = [*([old.g] if old.HasField("g") else []), *old.graphs]
        for a, b in zip(inner, [*([new.g] if new.HasField("g") else []), *new.graphs], strict=True):
            yield from _Scope(self.names, self.old, self.new).graph(a, b)

    def bind(self, old: str, new: str, where: str) -> Iterator[Loss]:
        """Note that ``old`` is called ``new`` now, and compare the constants of these names."""
        if old in self.names or not old:
            if self.names.get(old, "") != new:
                yield Loss("lost", f"{where}: read {old!r}, reads {new!r}")
        elif old in self.old and new in self.new:
            self._name(old, new)
            yield from [Loss("tensor-renamed", f"{old!r} became {new!r}")] * (self._renamed(old, new))
            yield from _tensor(self.old[old], self.new[new], f"constant {old}")
        else:
            yield Loss("lost", f"{where}: {old!r} against {new!r}")

    def _renamed(self, old: str, new: str) -> bool:
        return old != new and self.old[old].name not in (new, "")

    def _name(self, old: str, new: str) -> None:
        """In the scope that defines it, so that every graph below knows."""
        for names, constants in zip(self.names.maps, self.old.maps, strict=True):
            if old in constants:
                names[old] = new
                return

    def _types(self, old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Loss]:
        known = {i.name: i for i in (*new.input, *new.output, *new.value_info)}
        for info in old.value_info:
            name = self.names.get(info.name)
            if name is None:
                yield from [Loss("stale-type", info.name)] * (info.name not in self.old.maps[0])
            elif name in known:
                yield from _described(info, known[name], strict=False)
            elif name not in self.new:
                yield Loss("lost", f"type of {info.name!r}")
            else:
                yield from _fields(info, self.new[name], f"constant {info.name}", {"name", "type"})

    def _annotations(self, old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Loss]:
        kept = {a.tensor_name: a for a in new.quantization_annotation}
        for entry in old.quantization_annotation:
            name = self.names.get(entry.tensor_name)
            if name is None:
                yield Loss("annotation", entry.tensor_name)
            elif name not in kept:
                yield Loss("lost", f"quantisation annotation of {entry.tensor_name!r}")
            else:
                yield from _fields(entry, kept[name], f"annotation of {name}", {"tensor_name"})

    def left_out(self) -> Iterator[Loss]:
        """Constants of this graph that nothing was bound to."""
        mine, bound = self.old.maps[0], self.names.maps[0]
        used = {id(tensor) for name, tensor in mine.items() if name in bound}  # by whichever of its names
        yield from [Loss("unused", name) for name, tensor in mine.items() if id(tensor) not in used]


_OWN = ("node", "initializer", "sparse_initializer", "input", "output", "value_info", "quantization_annotation")


def _key(node: onnx.NodeProto) -> str:
    return next((name for name in node.output if name), "")


def _pair(
    old: list[onnx.NodeProto], new: list[onnx.NodeProto], place: dict[str, int]
) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """Old and new nodes of the same first output; the others in order."""
    taken = {place[_key(n)] for n in old if _key(n) in place}
    rest = iter([n for i, n in enumerate(new) if i not in taken])
    for node in old:
        partner = new[place[_key(node)]] if _key(node) in place else next(rest, None)
        if partner is not None:
            yield node, partner


def _value(node: onnx.NodeProto) -> Any:
    """The tensor of a Constant node."""
    attribute = node.attribute[0]
    if attribute.name == "value":
        return attribute.t
    if attribute.name == "sparse_value":
        return _dense(attribute.sparse_tensor, node.output[0])
    value = onnx.helper.get_attribute_value(attribute)
    kind = TensorProto.FLOAT if "float" in attribute.name else TensorProto.INT64
    if "string" in attribute.name:
        kind = TensorProto.STRING
    many = isinstance(value, (list, tuple)) or attribute.type in (AttributeProto.FLOATS, AttributeProto.INTS)
    return onnx.helper.make_tensor("", kind, [len(value)] if many else [], value if many else [value])


def _dense(sparse: onnx.SparseTensorProto, name: str) -> TensorProto:
    values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    dense = np.zeros(tuple(sparse.dims), values.dtype)
    dense.reshape(-1)[places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), dense.shape)] = values
    return numpy_helper.from_array(dense, name)


def _tensor(old: TensorProto, new: TensorProto, where: str) -> Iterator[Loss]:
    storage = {"dims", "data_type", "name", "external_data", "data_location", "raw_data"}
    typed = {f"{kind}_data" for kind in ("float", "int32", "int64", "double", "uint64", "string")}
    yield from _fields(old, new, where, storage | typed)
    if (old.data_type, list(old.dims)) != (new.data_type, list(new.dims)):
        yield Loss("lost", f"{where}: type {old.data_type} {list(old.dims)} became {new.data_type} {list(new.dims)}")
    elif _content(old) != _content(new):
        yield Loss("lost", f"{where}: values differ")


def _content(tensor: TensorProto) -> Any:
    if tensor.data_type == TensorProto.STRING:
        return list(tensor.string_data)
    return tensor.raw_data if tensor.HasField("raw_data") else numpy_helper.from_array(_array(tensor)).raw_data


def _array(tensor: TensorProto) -> Any:
    return numpy_helper.to_array(tensor)


def _described(old: onnx.ValueInfoProto, new: onnx.ValueInfoProto, *, strict: bool) -> Iterator[Loss]:
    """What ``old`` states of a value and ``new`` does not; with ``strict`` symbolic dims have to stay symbolic."""
    yield from _fields(old, new, f"value {old.name}", {"name", "type"})
    if not old.type.HasField("tensor_type"):
        yield from _fields(old, new, f"value {old.name}", {"name", "doc_string", "metadata_props"})
        return
    a, b = old.type.tensor_type, new.type.tensor_type
    if old.type.denotation != new.type.denotation:
        yield Loss("lost", f"denotation of {old.name!r}")
    if a.elem_type and a.elem_type != b.elem_type:
        yield Loss("type", f"{old.name!r}: element type {a.elem_type} became {b.elem_type}")
    if not a.HasField("shape"):
        return
    if not b.HasField("shape") or len(a.shape.dim) != len(b.shape.dim):
        yield Loss("type", f"{old.name!r}: rank {len(a.shape.dim)} became {len(b.shape.dim)}")
        return
    if any(_narrowed(x, y, strict) for x, y in zip(a.shape.dim, b.shape.dim, strict=True)):
        dims = [[_dim(d) for d in tensor.shape.dim] for tensor in (a, b)]
        yield Loss("type", f"{old.name!r}: {dims[0]} became {dims[1]}")


def _narrowed(old: Any, new: Any, strict: bool) -> bool:
    if old.denotation != new.denotation:
        return True
    if old.HasField("dim_value"):
        return bool(old.dim_value >= 0 and _dim(new) != old.dim_value)
    if old.dim_param and not old.dim_param.startswith("unk__"):
        return _dim(old) != _dim(new) and (strict or not new.HasField("dim_value"))
    return False


def _dim(dim: Any) -> int | str | None:
    kind = dim.WhichOneof("value")
    return None if kind is None else getattr(dim, kind)
