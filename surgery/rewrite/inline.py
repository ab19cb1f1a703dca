"""Bodies of functions in the place of the nodes that call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import AttributeProto

from surgery.ir import Constant, Graph, Node, Tensor, Value
from surgery.ir.copy import Copier
from surgery.ir.function import Function
from surgery.ir.importer import literal
from surgery.rewrite.rewriter import Rewriter
from surgery.rewrite.rule import Mismatch


def check(node: Node, function: Function) -> None:
    """Raise Mismatch unless ``node`` gives everything that the body of ``function`` asks for."""
    given = {**function.defaults, **node.attrs}
    if held := next((name for name, value in node.attrs.items() if isinstance(value, Graph)), None):
        raise Mismatch(f"attribute {held!r} holds a graph, which a body cannot take over", node)
    for inner in (n for graph in function.body.walk() for n in graph.nodes):
        absent = next((ref for ref in map(reference, inner.attrs.values()) if ref and ref not in given), None)
        if absent and _is_literal(inner):
            raise Mismatch(f"attribute {absent!r} is absent and has no default, the body reads it", node)
    counts = ((node.inputs, function.body.inputs, "inputs"), (node.outputs, function.body.outputs, "outputs"))
    for actual, formal, what in counts:
        if len(actual) > len(formal):
            raise Mismatch(f"the call has {len(actual)} {what}, the function at most {len(formal)}", node)


def inline(rw: Rewriter, node: Node, function: Function) -> None:
    """Let the nodes of ``function`` stand for ``node``; those that nothing reads are left out.

    Begin the group of edits before. Omitted inputs stay omitted, attributes are filled in.
    """
    call = _Call(rw, node, function)
    for made in call.nodes(function.body, node.graph or rw.main):
        rw.adopt(made)
    results = [call.tensor(t) for t in function.body.outputs[: len(node.outputs)]]
    for old, new in zip(node.outputs, results, strict=True):
        if isinstance(new, Value) and new.shape is None and new.producer is not None:
            rw.editor.retype(new, old.dtype, old.shape)
    rw.replace(node, *results)
    rw.editor.sweep(reversed(rw.made), rw.is_output)


def repeat(rw: Rewriter, body: Graph, feeds: Sequence[Tensor]) -> list[Tensor]:
    """Copy the nodes of ``body`` to the node being rewritten, which owns it, ``feeds`` being its inputs.

    Returns what the copy returns: outputs of copied nodes, some of ``feeds``, constants, values from outside.
    """
    turn = _Turn(rw, body, feeds)
    for made in turn.nodes(body, body):
        rw.adopt(made)
    return [turn.tensor(t) for t in body.outputs]


def reference(value: Any) -> str:
    """The attribute of the call that an attribute refers to; "" where it has a value of its own."""
    return value.ref_attr_name if isinstance(value, AttributeProto) else ""


class _Turn(Copier):
    """Copies a body for one turn of its loop; constants, and what is read from outside, are shared."""

    def __init__(self, rw: Rewriter, body: Graph, feeds: Sequence[Tensor]) -> None:
        super().__init__()
        self.rw = rw
        outer, *inner = body.walk()
        self.own = {id(v) for graph in (outer, *inner) for node in graph.nodes for v in node.outputs}
        self.own |= {id(t) for graph in inner for t in graph.inputs}
        self.tensors = {id(old): new for old, new in zip(body.inputs, feeds, strict=True)}

    def tensor(self, old: Tensor) -> Tensor:
        """What stands for ``old``: itself, when it was not made in the body."""
        ours = old.is_empty() or id(old) in self.own or id(old) in self.tensors
        return super().tensor(old) if ours else old

    def value(self, old: Value) -> Value:
        """A copy under a new name; its shape may follow from what is fed."""
        new = super().value(old)
        new.name, new.shape = self.rw.tensor_name(old.name), None
        return new


class _Call(Copier):
    """Copies a body for one call: its inputs are those of the call, its attributes filled in, its names new."""

    def __init__(self, rw: Rewriter, node: Node, function: Function) -> None:
        super().__init__()
        self.rw, self.caller = rw, node
        self.attrs = {**function.defaults, **node.attrs}
        self.tensors = {id(t): node.input(i) or Value.empty() for i, t in enumerate(function.body.inputs)}

    def nodes(self, old: Graph, new: Graph) -> list[Node]:
        """Copies of the nodes but the Constants, which become what they hold."""
        for node in old.nodes:
            if _is_literal(node):
                self.tensors[id(node.outputs[0])] = self._literal(node)
        return [self.node(n, new) for n in old.nodes if not _is_literal(n)]

    def node(self, old: Node, graph: Graph) -> Node:
        """A copy without a name, and without the attributes that the call leaves out."""
        new = super().node(old, graph)
        new.name = ""
        new.attrs = {name: value for name, value in new.attrs.items() if value is not None}
        return new

    def attribute(self, value: Any, owner: Node) -> Any:
        """The attribute of the call where ``value`` refers to one; None where that is left out."""
        if ref := reference(value):
            value = self.attrs.get(ref)
        return super().attribute(value, owner)

    def value(self, old: Value) -> Value:
        """A copy under a new name."""
        new = super().value(old)
        new.name = self._name(old)
        return new

    def constant(self, old: Constant) -> Constant:
        """A copy under a new name."""
        new = super().constant(old)
        new.name = self._name(old)
        return new

    def _name(self, old: Tensor) -> str:
        return self.rw.tensor_name(f"{self.caller.name}/{old.name}")

    def _literal(self, node: Node) -> Constant:
        [(name, value)] = node.attrs.items()
        held = self.attribute(value, node)
        return self.constant(
            Constant(node.outputs[0].name, held.weight if isinstance(held, Constant) else literal(name, held))
        )


def _is_literal(node: Node) -> bool:
    return node.op == "Constant" and node.is_onnx
