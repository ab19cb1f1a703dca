"""What must hold of a graph between passes; a breach is a defect of the pass that made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from surgery.ir.graph import Graph, Node, Tensor, Value
from surgery.ir.sort import reads


def breaches(main: Graph) -> Iterator[str]:
    """One sentence per broken invariant of ``main`` and its bodies; nothing when all hold.

    Names are unique and present, links agree in both directions, every tensor that is read is defined before,
    and graph outputs are defined.
    """
    graphs = list(main.walk())
    owned = {id(n) for g in graphs for n in g.nodes}
    yield from _names(graphs)
    readers = _Readers()
    for graph in graphs:
        for node in graph.nodes:
            yield from _links(node, graph, owned, readers)
        yield from _order(graph)


_MANY = 16


class _Readers(dict[Tensor, set[Node]]):
    """The nodes that a tensor knows to read it, where they are too many to be looked through for each of them."""

    def __missing__(self, tensor: Tensor) -> set[Node]:
        found = self[tensor] = set(tensor.outputs)
        return found

    def know(self, tensor: Tensor, node: Node) -> bool:
        """Whether ``node`` is among those that read ``tensor``."""
        return node in (tensor.outputs if len(tensor.outputs) < _MANY else self[tensor])


def _names(graphs: list[Graph]) -> Iterator[str]:
    for name, count in Counter(n.name for g in graphs for n in g.nodes).items():
        if count > 1 or not name:
            yield f"{count} nodes are named {name!r}"
    tensors: dict[str, Tensor] = {}
    for graph in graphs:
        linked = [t for node in graph.nodes for side in (node.inputs, node.outputs) for t in side if t.name]
        for tensor in (*graph.inputs, *graph.outputs, *linked):
            if tensors.setdefault(tensor.name, tensor) is not tensor:
                yield f"two tensors are named {tensor.name!r}"


def _links(node: Node, graph: Graph, owned: set[int], readers: _Readers) -> Iterator[str]:
    if node.graph is not graph:
        yield f"{node!r} does not know its graph"
    for value in node.outputs:
        if value.name and (len(value.inputs) != 1 or value.inputs[0] is not node):
            yield f"{value!r} is computed by {value.inputs}, not by {node!r} alone"
    for tensor in node.inputs:
        if not readers.know(tensor, node):
            yield f"{tensor!r} does not know its reader {node!r}"
        for maker in tensor.inputs:
            if id(maker) not in owned:
                yield f"{node!r} reads {tensor!r}, whose producer left the graph"


def _order(graph: Graph) -> Iterator[str]:
    ahead = set(graph.nodes)
    for node in graph.nodes:
        ahead.discard(node)
        for tensor in reads(node) if node.attrs else node.inputs:
            if tensor.inputs and tensor.inputs[0] in ahead:
                yield f"{node!r} reads {tensor.name!r} before it is computed"
    inputs = {id(v) for v in graph.inputs}
    for out in graph.outputs:
        if isinstance(out, Value) and out.producer is None and id(out) not in inputs and graph.owner is None:
            yield f"graph output {out.name!r} is computed by nothing"
