"""The model's own functions, in the place of the nodes that call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from surgery.ir import Graph, Node
from surgery.ir.function import Function, Key, key
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, inline


@dataclass(frozen=True)
class Call:
    """A node, and the function that it calls."""

    node: Node
    function: Function


class InlineCall(Rule[Call]):
    """``y = made.by.me.f(x) -> y = Relu(x)`` for a function f of the model; exact, since the nodes stay as they are.

    Args:
        functions: those of the model, by name.
        opsets: version of each operator domain in the model.
    """

    name, roots, custom = "inline-call", frozenset[str](), True
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def __init__(self, functions: Mapping[Key, Function], opsets: Mapping[str, int]) -> None:
        self.functions, self.opsets = functions, opsets
        self.roots = frozenset(op for _, op, _ in functions)  # type: ignore[misc]  # a model's functions are its own

    def match(self, node: Node, ctx: Context) -> Call:
        """A function that does not call itself, written in the opsets of the model, and so are those it calls."""
        called = key(node)
        if called not in self.functions:
            raise Mismatch(f"the model has no function {_text(called)}", node)
        function = self.functions[called]
        reached = reach(function.body, self.functions)
        if called in reached:
            raise Mismatch(f"function {_text(called)} calls itself", node)
        for name in sorted({called, *reached}):
            self._same_opsets(name, node)
        inline.check(node, function)
        return Call(node, function)

    def rewrite(self, match: Call, rw: Rewriter) -> None:
        """The nodes of the body."""
        inline.inline(rw, match.node, match.function)

    def _same_opsets(self, name: Key, node: Node) -> None:
        function = self.functions[name]
        for inner in _nodes(function.body):
            domain = "" if inner.is_onnx else inner.domain
            there, here = function.opsets.get(domain), self.opsets.get(domain)
            if key(inner) not in self.functions and there != here:
                what = f"{domain or 'ai.onnx'} {there or 'in no version'}"
                raise Mismatch(f"function {_text(name)} is written in {what}, the model imports {here or 'none'}", node)


def reach(graph: Graph, functions: Mapping[Key, Function]) -> set[Key]:
    """Those among ``functions`` that ``graph`` calls, directly or through others."""
    found: set[Key] = set()
    bodies = [graph]
    while bodies:
        called = ({key(n) for n in _nodes(bodies.pop())} & functions.keys()) - found
        found |= called
        bodies += [functions[name].body for name in sorted(called)]
    return found


def _nodes(graph: Graph) -> Iterator[Node]:
    return (node for inner in graph.walk() for node in inner.nodes)


def _text(name: Key) -> str:
    domain, op, overload = name
    return f"{domain}:{op}" + (f":{overload}" if overload else "")
