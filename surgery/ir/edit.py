"""The primitive edits of a graph, each of which can be undone.

Everything that changes a graph after import goes through an :class:`Editor`. Edits are recorded, so that a group
of them, or a whole pass, is taken back by :meth:`Editor.rollback`. Inserted and removed nodes are sorted into
``graph.nodes`` by :meth:`Editor.settle`; until then new nodes stand at its end and removed ones have no graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from surgery.ir.graph import DType, Graph, Node, Shape, Tensor, Value
from surgery.ir.sort import sort


class Editor:
    """Edits graphs and remembers how to undo it, newest last.

    Attributes:
        changed: every node that may compute something of another type than before, or that is written otherwise.
    """

    def __init__(self) -> None:
        self.changed: set[Node] = set()
        self._undo: list[Callable[[], None]] = []
        self._unsettled: dict[int, Graph] = {}

    def mark(self) -> int:
        """A point to which :meth:`rollback` can return."""
        return len(self._undo)

    def rollback(self, mark: int = 0) -> None:
        """Undo every edit made since ``mark``, newest first."""
        while len(self._undo) > mark:
            self._undo.pop()()

    def record(self, undo: Callable[[], None]) -> None:
        """Call ``undo`` when what follows is taken back."""
        self._undo.append(undo)

    def insert(self, node: Node, graph: Graph, position: tuple[float, ...]) -> None:
        """Put ``node`` into ``graph``, as near to ``position`` as its dependencies allow."""
        node.graph, node.position = graph, position
        graph.nodes.append(node)
        self._unsettled[id(graph)] = graph
        self.changed.add(node)
        _look_again(node, graph)

        def undo() -> None:
            graph.nodes.pop()
            for inner in [n for body in node.bodies() for g in body.walk() for n in g.nodes]:
                _unlink(inner)
            _unlink(node)
            _look_again(node, graph)

        self._undo.append(undo)

    def move(self, node: Node, graph: Graph, position: tuple[float, ...]) -> None:
        """Put ``node`` of another graph into ``graph``; what it reads and computes stays linked."""
        old, place = node.graph, node.position
        node.graph, node.position = graph, position
        graph.nodes.append(node)
        self.changed.add(node)
        for changed in (graph, old) if old is not None else (graph,):
            self._unsettled[id(changed)] = changed
        _look_again(node, graph)

        def undo() -> None:
            graph.nodes.pop()
            node.graph, node.position = old, place
            _look_again(node, graph)

        self._undo.append(undo)

    def remove(self, node: Node) -> None:
        """Take ``node`` and its bodies out of its graph; what they read and computed forgets them."""
        graph = node.graph
        if graph is None:
            return
        self._remove_bodies(node)
        self._unsettled[id(graph)] = graph
        _unlink(node)
        _look_again(node, graph)

        def undo() -> None:
            _look_again(node, graph)
            node.graph = graph
            for tensor in node.inputs:
                list.append(tensor.outputs, node)
            for value in node.outputs:
                list.append(value.inputs, node)

        self._undo.append(undo)

    def set_input(self, node: Node, index: int, tensor: Tensor) -> None:
        """Let input ``index`` of ``node`` be ``tensor``; inputs up to it are filled up with omitted ones."""
        while len(node.inputs) <= index:
            self.set_inputs(node, [*node.inputs, Value.empty()])
        old = node.inputs[index]
        _relink(node, index, tensor)
        self.changed.add(node)
        self._undo.append(lambda: _relink(node, index, old))

    def set_inputs(self, node: Node, tensors: Sequence[Tensor]) -> None:
        """Replace all inputs of ``node``."""
        old = list(node.inputs)
        _reread(node, list(tensors))
        self.changed.add(node)
        self._undo.append(lambda: _reread(node, old))

    def redirect(self, old: Tensor, new: Tensor) -> None:
        """Let every node that reads ``old`` read ``new``; linear in the number of readers. Outputs stay."""
        places = [(n, i) for n in old.consumers for i, t in enumerate(n.inputs) if t is old]
        kept = list(old.outputs)
        list.clear(old.outputs)
        for node, index in places:
            list.__setitem__(node.inputs, index, new)
            list.append(new.outputs, node)
            self.changed.add(node)

        def undo() -> None:
            for node, index in places:
                list.__setitem__(node.inputs, index, old)
            _forget(new, [node for node, _ in places])
            list.extend(old.outputs, kept)

        self._undo.append(undo)

    def set_attr(self, node: Node, name: str, value: Any) -> None:
        """Set attribute ``name``; None removes it."""
        old = dict(node.attrs)
        node.attrs = {**old, name: value}
        if value is None:
            del node.attrs[name]
        self.changed.add(node)
        self._undo.append(lambda: setattr(node, "attrs", old))

    def set_op(self, node: Node, op: str, attrs: dict[str, Any], domain: str = "") -> None:
        """Make ``node`` another operator with the attributes ``attrs``; its links stay."""
        old = (node.op, node.attrs, node.domain)
        node.op, node.attrs, node.domain = op, attrs, domain
        self.changed.add(node)

        def undo() -> None:
            node.op, node.attrs, node.domain = old

        self._undo.append(undo)

    def set_outputs(self, node: Node, values: Sequence[Value]) -> None:
        """Replace the values ``node`` computes."""
        old = list(node.outputs)
        _recompute(node, list(values))
        self.changed.add(node)
        self._undo.append(lambda: _recompute(node, old))

    def set_graph_inputs(self, graph: Graph, tensors: Sequence[Tensor]) -> None:
        """Replace the inputs of ``graph``."""
        old = list(graph.inputs)
        graph.inputs = list(tensors)
        self._undo.append(lambda: setattr(graph, "inputs", old))

    def set_graph_outputs(self, graph: Graph, tensors: Sequence[Tensor]) -> None:
        """Replace the outputs of ``graph``."""
        old = list(graph.outputs)
        graph.outputs = list(tensors)
        self._undo.append(lambda: setattr(graph, "outputs", old))

    def rename(self, thing: Tensor | Node, name: str) -> None:
        """Give a tensor or node another name."""
        old = thing.name
        thing.name = name
        self._undo.append(lambda: setattr(thing, "name", old))

    def set_metadata(self, thing: Tensor | Node, key: str, text: str) -> None:
        """Set one entry of the metadata of a tensor or node."""
        old = thing.metadata
        thing.metadata = {**old, key: text}
        self._undo.append(lambda: setattr(thing, "metadata", old))

    def set_doc(self, thing: Tensor | Node, text: str) -> None:
        """Set the documentation of a tensor or node."""
        old = thing.doc_string
        thing.doc_string = text
        self._undo.append(lambda: setattr(thing, "doc_string", old))

    def retype(self, value: Value, dtype: DType | None, shape: Shape | None) -> None:
        """Give ``value`` a dtype and shape."""
        old = (value.dtype, value.shape)
        value.dtype, value.shape = dtype, shape
        self.changed.update(value.inputs, value.outputs)

        def undo() -> None:
            value.dtype, value.shape = old

        self._undo.append(undo)

    def settle(self) -> None:
        """Sort inserted nodes in and removed ones out of ``graph.nodes``."""
        while self._unsettled:
            _, graph = self._unsettled.popitem()
            old, positions = graph.nodes, [n.position for n in graph.nodes]
            graph.nodes = [n for n in old if n.graph is graph]
            if not sort(graph) and len(graph.nodes) == len(old):
                continue
            self._undo.append(lambda g=graph, o=old, p=positions: self._unsettle(g, o, p))  # type: ignore[misc]

    def _unsettle(self, graph: Graph, nodes: list[Node], positions: list[tuple[float, ...]]) -> None:
        graph.nodes = nodes
        self._unsettled[id(graph)] = graph
        for node, position in zip(nodes, positions, strict=True):
            node.position = position

    def sweep(self, candidates: Iterable[Node], keep: Callable[[Tensor], bool]) -> list[Node]:
        """Remove the nodes among ``candidates``, and whatever feeds only them, whose outputs nothing reads.

        ``keep`` says of a tensor that it is wanted though nothing reads it (graph outputs).
        """
        stack, swept = list(candidates), []
        while stack:
            node = stack.pop()
            if node.graph is None or any(v.outputs or keep(v) for v in node.outputs):
                continue
            stack.extend(p for t in _all_reads(node) if (p := t.producer) is not None)
            self.remove(node)
            swept.append(node)
        return swept

    def _remove_bodies(self, node: Node) -> None:
        for body in list(node.bodies()) if node.attrs else ():
            for inner in [n for n in body.nodes if n.graph is body]:
                self.remove(inner)
            self._unsettled.pop(id(body), None)


def _all_reads(node: Node) -> Iterator[Tensor]:
    yield from list(node.inputs)
    for body in node.bodies() if node.attrs else ():
        for graph in body.walk():
            yield from (t for inner in graph.nodes for t in inner.inputs)


def _look_again(node: Node, graph: Graph) -> None:
    """Bodies came or went with ``node``: who returns what has to be looked up anew."""
    if node.attrs and any(True for _ in node.bodies()):
        graph.forget_returns()


def _unlink(node: Node) -> None:
    node.graph = None
    for tensor in node.inputs:
        list.remove(tensor.outputs, node)
    for value in node.outputs:
        list.remove(value.inputs, node)


def _relink(node: Node, index: int, tensor: Tensor) -> None:
    list.remove(node.inputs[index].outputs, node)
    list.__setitem__(node.inputs, index, tensor)
    list.append(tensor.outputs, node)


def _reread(node: Node, tensors: list[Tensor]) -> None:
    for tensor in node.inputs:
        list.remove(tensor.outputs, node)
    list.__setitem__(node.inputs, slice(None), tensors)
    for tensor in tensors:
        list.append(tensor.outputs, node)


def _recompute(node: Node, values: list[Value]) -> None:
    for value in node.outputs:
        list.remove(value.inputs, node)
    list.__setitem__(node.outputs, slice(None), values)
    for value in values:
        list.append(value.inputs, node)


def _forget(tensor: Tensor, readers: list[Node]) -> None:
    """Drop one use of ``tensor`` per entry of ``readers``."""
    gone = Counter(id(n) for n in readers)
    kept = []
    for node in reversed(tensor.outputs):
        if gone[id(node)]:
            gone[id(node)] -= 1
        else:
            kept.append(node)
    list.__setitem__(tensor.outputs, slice(None), kept[::-1])
