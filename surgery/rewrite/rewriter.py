"""The hands of a rule: every edit it makes, recorded, named and typed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from surgery.ir import Constant, Graph, Node, Tensor, Value
from surgery.ir.edit import Editor
from surgery.ir.infer_node import infer_node
from surgery.ir.normalise import Names
from surgery.ir.origin import ORIGIN, source_name
from surgery.rewrite import bodies


@dataclass(frozen=True)
class Origin:
    """Who is rewriting what: written into the metadata of every node that comes out.

    ``name`` and ``sources`` are those of ``root`` before anything was done to it.
    """

    by: str
    root: Node
    name: str
    sources: str


@dataclass(frozen=True)
class Change:
    """One applied match: the rule, and the names of the nodes that left and came."""

    rule: str
    old: tuple[str, ...]
    new: tuple[str, ...]


class Rewriter:
    """Edits one model on behalf of rules.

    Args:
        main: the main graph.
        opset: version of the default domain, in which new nodes are written.
        editor: records the edits.
    """

    def __init__(self, main: Graph, opset: int, editor: Editor) -> None:
        self.main, self.opset, self.editor = main, opset, editor
        self.made: list[Node] = []
        self.removed: list[Node] = []
        self.touched: list[Node] = []
        self._origin: Origin | None = None
        self._former: dict[int, str] = {}

    @cached_property
    def _names(self) -> tuple[Names, Names]:
        """Those of tensors and of nodes, as they were before the first edit, which may be undone."""
        nodes = Names(n.name for g in self.main.walk() for n in g.nodes)
        return Names({t.name for t in _tensors(self.main)}), nodes

    def begin(self, by: str, root: Node) -> None:
        """Start a group of edits at ``root`` on behalf of the rule ``by``."""
        _ = self._names
        self._origin = Origin(by, root, root.name, _sources(root))
        self.made, self.removed, self.touched = [], [], []

    def change(self, rule: str) -> Change:
        """What the current group did, by node names; removed nodes under the names they had."""
        old = tuple(self._former.get(id(n), n.name) for n in self.removed)
        return Change(rule, old, tuple(n.name for n in self.made if n.graph is not None))

    def op(self, op: str, *inputs: Tensor | None, heir: Node | None = None, domain: str = "", **attrs: Any) -> Value:
        """Make a node and return its only output.

        Args:
            op: operator type, as of the model's opset.
            inputs: None stands for an omitted optional input.
            heir: the heavy node it stands for, whose name it takes over.
            domain: operator domain.
            attrs: attributes; None leaves one out.
        """
        return self.multi(op, *inputs, outputs=1, heir=heir, domain=domain, **attrs)[0]

    def multi(
        self,
        op: str,
        *inputs: Tensor | None,
        outputs: int,
        heir: Node | None = None,
        domain: str = "",
        graph: Graph | None = None,
        **attrs: Any,
    ) -> tuple[Value, ...]:
        """Make a node of several outputs and return them; ``graph`` defaults to that of the node being rewritten."""
        origin = self._need_origin()
        sources = origin.sources if heir is None else _sources(heir)
        name = self._inherit(heir) if heir is not None else self._fresh_node(f"{origin.name}/{op}")
        values = [Value(self.tensor_name(f"{name}_output_{i}")) for i in range(outputs)]
        filled = [Value.empty() if t is None else t for t in _without_tail(inputs)]
        node = Node(op, name, {k: v for k, v in attrs.items() if v is not None}, filled, values, domain)
        self._place(node, graph or origin.root.graph or self.main, sources)
        return tuple(values)

    def adopt(self, node: Node) -> None:
        """Put a node that was made elsewhere, linked but in no graph, beside the one that is rewritten.

        It and the nodes of its bodies are named anew, after themselves or what is rewritten when they have no name,
        typed and recorded as those of :meth:`op` are. Its tensors have names from :meth:`tensor_name`.
        """
        origin = self._need_origin()
        self._adopt(node, origin.root.graph or self.main, origin)

    def _adopt(self, node: Node, graph: Graph, origin: Origin) -> None:
        sources = _sources(node) or origin.sources
        node.name = self._fresh_node(node.name or f"{origin.name}/{node.op}")
        self._place(node, graph, sources)
        for body in node.bodies():
            bodies.enter(node, body)
            inner, body.nodes = body.nodes, []
            for each in inner:
                self._adopt(each, body, origin)
        bodies.leave(node)

    def _place(self, node: Node, graph: Graph, sources: str) -> None:
        origin = self._need_origin()
        node.metadata[ORIGIN] = f"{origin.by}: {sources}"
        self.editor.insert(node, graph, (*origin.root.position, float(len(self.made))))
        self.made.append(node)
        for value, (dtype, shape) in zip(node.outputs, infer_node(node, self.opset), strict=True):
            fields = value.__dict__  # graphsurgeon's __setattr__ would take longer than inference
            fields["dtype"], fields["shape"] = dtype or value.dtype, shape

    def constant(self, array: np.ndarray[Any, Any] | float, like: Tensor | None = None, name: str = "") -> Constant:
        """A new constant, of the dtype of ``like`` when given."""
        dtype = like.dtype if like is not None else None
        base = name or f"{self._need_origin().name}/const"
        return Constant(self.tensor_name(base), np.asarray(array, dtype))

    def ints(self, values: Sequence[int]) -> Constant:
        """A new constant of int64 values, rank 1."""
        return self.constant(np.array(values, np.int64))

    def replace(self, node: Node, *values: Tensor) -> None:
        """Let ``values`` stand for the outputs of ``node`` and remove it; graph outputs keep their names."""
        outputs = list(node.outputs)
        for old, new in zip(outputs, values, strict=True):
            self.replace_value(old, new)
        self.remove(node)

    def replace_value(self, old: Value, new: Tensor) -> None:
        """Let every reader of ``old`` read ``new``, a tensor of equal content."""
        self.touched += old.consumers
        self.editor.redirect(old, new)
        for graph in self.main.returned_by(old):
            self._return(graph, old, new)

    def _return(self, graph: Graph, old: Value, new: Tensor) -> None:
        """Let ``graph`` return ``new`` under the name and type that ``old`` had."""
        name, dtype, shape = old.name, old.dtype, old.shape
        source = new.producer
        taken = self.is_output(new) or source is None or source.graph is not graph
        value = self.multi("Identity", new, outputs=1, graph=graph)[0] if taken else new
        self.editor.rename(old, self.tensor_name(f"{name}_replaced"))
        self.editor.rename(value, name)
        self.editor.retype(value, dtype, shape)
        self.editor.set_doc(value, old.doc_string)
        for key, text in old.metadata.items():
            self.editor.set_metadata(value, key, text)
        self.editor.set_graph_outputs(graph, [value if out is old else out for out in graph.outputs])

    def is_output(self, tensor: Tensor) -> bool:
        """Whether a graph or body returns ``tensor``."""
        return bool(self.main.returned_by(tensor))

    def remove(self, *nodes: Node) -> None:
        """Remove ``nodes``, whose outputs nothing may read any more, and what only they read."""
        feeding = [p for n in nodes for t in n.inputs if (p := t.producer) is not None]
        for node in nodes:
            self.editor.remove(node)
            self.removed.append(node)
        self.removed += self.editor.sweep(feeding, self.is_output)
        self.touched += feeding

    def set_input(self, node: Node, index: int, tensor: Tensor) -> None:
        """Let ``node`` read ``tensor`` at ``index``."""
        old = node.input(index)
        self.editor.set_input(node, index, tensor)
        self.touched.append(node)
        if old is not None and (source := old.producer) is not None:
            self.removed += self.editor.sweep([source], self.is_output)

    def set_attr(self, node: Node, name: str, value: Any) -> None:
        """Set an attribute of a node; None removes it."""
        self.editor.set_attr(node, name, value)
        self.touched.append(node)

    def tensor_name(self, base: str) -> str:
        """A name for a new tensor, ``base`` or with a number behind it."""
        return self._fresh(self._names[0], base)

    def _fresh_node(self, base: str) -> str:
        return self._fresh(self._names[1], base)

    def _fresh(self, names: Names, base: str) -> str:
        """A new name, free again when what is done with it is undone."""
        name = names(base)
        self.editor.record(lambda: names.release(name))
        return name

    def _inherit(self, heir: Node) -> str:
        name = self._former[id(heir)] = heir.name
        self.editor.rename(heir, self._fresh_node(f"{name}_replaced"))
        return name

    def _need_origin(self) -> Origin:
        if self._origin is None:
            raise RuntimeError("an edit outside a group: call begin() first")
        return self._origin


def _without_tail(inputs: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """Inputs without omitted ones at the end: some compilers fail on an empty name there."""
    kept = len(inputs)
    while kept and ((last := inputs[kept - 1]) is None or last.is_empty()):
        kept -= 1
    return inputs[:kept]


def _sources(node: Node) -> str:
    """The names a node's origin should carry: what it was itself made from, else its own name."""
    return source_name(node) or node.name


def _tensors(main: Graph) -> Iterator[Tensor]:
    for graph in main.walk():
        yield from (*graph.inputs, *graph.outputs)
        for node in graph.nodes:
            yield from (*node.inputs, *node.outputs)
