"""Copies of graphs; weights are shared."""

from __future__ import annotations

from typing import Any

import onnx

from surgery.ir.collector import undisturbed
from surgery.ir.graph import Constant, Graph, Node, Tensor, Value


@undisturbed()
def copy_graph(graph: Graph) -> Graph:
    """A copy of ``graph`` and its bodies, in which nothing but weights is shared with the original."""
    return Copier().graph(graph, None)


class Copier:
    """Copies graphs, nodes and tensors, each once.

    Attributes:
        tensors: what stands for each tensor, by its identity; those given beforehand are linked to, not copied.
    """

    def __init__(self) -> None:
        self.tensors: dict[int, Tensor] = {}
        self.graphs: dict[int, Graph] = {}

    def graph(self, old: Graph, owner: Node | None) -> Graph:
        """A copy of a graph, the body of ``owner`` if there is one."""
        new = self.graphs[id(old)] = Graph(old.name, owner=owner)
        new.doc_string, new.metadata, new.annotations = old.doc_string, dict(old.metadata), list(old.annotations)
        new.inputs = [self.tensor(t) for t in old.inputs]
        new.nodes = self.nodes(old, new)
        new.outputs = [self.tensor(t) for t in old.outputs]
        return new

    def nodes(self, old: Graph, new: Graph) -> list[Node]:
        """Copies of the nodes of ``old``, for ``new``."""
        return [self.node(n, new) for n in old.nodes]

    def node(self, old: Node, graph: Graph) -> Node:
        """A copy of a node that knows ``graph`` as its own; it is not put into its nodes."""
        known = self.tensors  # most are: a call for each would be a tenth of the time
        inputs = [known.get(id(t)) or self.tensor(t) for t in old.inputs]
        outputs = [known.get(id(t)) or self.tensor(t) for t in old.outputs]
        new = Node(old.op, old.name, None, inputs, outputs, old.domain)
        fields = new.__dict__  # graphsurgeon's __setattr__ would take most of the time of a copy
        fields["overload"], fields["doc_string"], fields["metadata"] = old.overload, old.doc_string, dict(old.metadata)
        fields["graph"], fields["position"] = graph, old.position
        fields["attrs"] = {name: self.attribute(value, new) for name, value in old.attrs.items()}
        return new

    def attribute(self, value: Any, owner: Node) -> Any:
        """A copy of what an attribute of ``owner`` holds."""
        if isinstance(value, Graph):
            return self.graph(value, owner)
        return list(value) if isinstance(value, list) else value

    def tensor(self, old: Tensor) -> Tensor:
        """What stands for ``old``, made when first asked for."""
        if (known := self.tensors.get(id(old))) is not None:
            return known
        if old.is_empty():
            return Value.empty()
        new = self.tensors[id(old)] = self.constant(old) if isinstance(old, Constant) else self.value(old)
        return new

    def constant(self, old: Constant) -> Constant:
        """A copy of a constant, which shares its weight."""
        new = Constant(old.name, old.weight)
        fields = new.__dict__
        fields["home"] = self.graphs.get(id(old.home))
        fields["doc_string"], fields["metadata"] = old.doc_string, dict(old.metadata)
        return new

    def value(self, old: Value) -> Value:
        """A copy of a value."""
        new = Value(old.name, old.dtype, old.shape)
        fields = new.__dict__
        fields["doc_string"], fields["metadata"] = old.doc_string, dict(old.metadata)
        if old.type_proto is not None:
            new.type_proto = onnx.TypeProto()
            new.type_proto.CopyFrom(old.type_proto)
        return new
