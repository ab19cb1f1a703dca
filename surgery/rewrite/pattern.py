"""Rules for local shapes, written as ONNX text.

``before`` and ``after`` are functions in the syntax of ``onnx.parser``::

    before = "(x) => (y) { s = Sigmoid (x)  y = Mul (x, s) }"

A name that is only read matches any tensor, the same name twice the same tensor. ``Constant <value_float = 0.5> ()``
matches a constant of one such element. ``alpha: float = @a`` binds an attribute (or its absence) for use in ``after``.
Add, Mul, Min, Max, And and Or match with their operands in either order. Inner values may have no other
reader. What the text cannot say goes into :meth:`TextRule.accept`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from typing import Any, ClassVar, TypeAlias

import numpy as np
import onnx
import onnx.parser

from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.ir.importer import plain_attribute
from surgery.rewrite.rewriter import Rewriter
from surgery.rewrite.rule import Context, Mismatch, Rule

COMMUTATIVE = frozenset({"Add", "Mul", "Min", "Max", "And", "Or"})
Makers: TypeAlias = dict[str, onnx.NodeProto]
HEADER = '<domain: "surgery.pattern", opset_import: ["": 17]> pattern '


@dataclass(frozen=True)
class Bound:
    """A match: the nodes of the pattern, root last, and what its names stand for."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    attrs: Mapping[str, Any]

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]


@dataclass
class _Binding:
    tensors: dict[str, Tensor] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def copy(self) -> _Binding:
        return _Binding(dict(self.tensors), dict(self.attrs), list(self.nodes))


class TextRule(Rule[Bound]):
    """A rule whose shapes are text; ``roots`` holds the type of the last node of ``before``."""

    before: ClassVar[str]
    after: ClassVar[str]

    def match(self, node: Node, ctx: Context) -> Bound | Mismatch:
        """Match ``before`` backwards from its last node at ``node``."""
        pattern = parse(self.before)
        makers = {n.output[0]: n for n in pattern.node}
        found = next(_node(pattern.node[-1], node, makers, _Binding()), None)
        if found is None:
            return Mismatch(f"the graph above is not {describe(pattern)}", node)
        bound = Bound(tuple(found.nodes), found.tensors, found.attrs)
        return _escaping(bound, node, ctx) or self.accept(bound, node, ctx) or bound

    def accept(self, bound: Bound, node: Node, ctx: Context) -> Mismatch | None:
        """Further conditions; None when they hold."""
        return None

    def rewrite(self, match: Bound, rw: Rewriter) -> None:
        """Build ``after`` and let it stand for the root."""
        root = match.nodes[-1]
        tensors = dict(match.tensors)
        pattern = parse(self.after)
        for proto in pattern.node:
            heir = root if proto is pattern.node[-1] and proto.op_type == root.op else None
            tensors[proto.output[0]] = _emit(proto, tensors, match, rw, heir)
        rw.replace(root, tensors[pattern.output[0]])


@cache
def parse(text: str) -> onnx.FunctionProto:
    """The pattern of ``text``; raises onnx.parser.ParseError."""
    return onnx.parser.parse_function(HEADER + text)


def describe(pattern: onnx.FunctionProto) -> str:
    """A pattern in one line, such as ``Mul(x, Sigmoid(x))``."""
    makers = {n.output[0]: n for n in pattern.node}

    def show(name: str) -> str:
        maker = makers.get(name)
        if maker is None:
            return name
        if maker.op_type == "Constant":
            return f"{plain_attribute(maker.attribute[0]):g}"
        return f"{maker.op_type}({', '.join(map(show, maker.input))})"

    return show(pattern.output[0])


def _node(proto: onnx.NodeProto, node: Node, makers: Makers, binding: _Binding) -> Iterator[_Binding]:
    """Every way in which ``proto`` can stand for ``node``."""
    arity = (len(proto.input), 1)
    if node.op != proto.op_type or not node.is_onnx or (len(node.inputs), len(node.outputs)) != arity:
        return
    start = binding.copy()
    if not _attributes(proto, node, start):
        return
    orders = permutations(node.inputs) if node.op in COMMUTATIVE else (node.inputs,)
    for order in orders:
        for found in _operands(list(zip(proto.input, order, strict=True)), makers, start):
            done = found.copy()
            done.nodes.append(node)
            done.tensors[proto.output[0]] = node.outputs[0]
            yield done


def _operands(pairs: list[tuple[str, Tensor]], makers: Makers, binding: _Binding) -> Iterator[_Binding]:
    if not pairs:
        yield binding
        return
    (name, tensor), rest = pairs[0], pairs[1:]
    for found in _tensor(name, tensor, makers, binding):
        yield from _operands(rest, makers, found)


def _tensor(name: str, tensor: Tensor, makers: Makers, binding: _Binding) -> Iterator[_Binding]:
    if name in binding.tensors:
        if binding.tensors[name] is tensor:
            yield binding
        return
    maker = makers.get(name)
    if maker is None:
        found = binding.copy()
        found.tensors[name] = tensor
        yield found
    elif maker.op_type == "Constant":
        wanted = np.float32(plain_attribute(maker.attribute[0]))
        held = ops.scalar(tensor)
        if held is not None and np.float32(held) == wanted:
            yield binding
    elif tensor.producer is not None:
        yield from _node(maker, tensor.producer, makers, binding)


def _attributes(proto: onnx.NodeProto, node: Node, binding: _Binding) -> bool:
    for attribute in proto.attribute:
        held = node.attrs.get(attribute.name)
        if attribute.ref_attr_name:
            binding.attrs[attribute.ref_attr_name] = held
        elif held != plain_attribute(attribute):
            return False
    return True


def _escaping(bound: Bound, root: Node, ctx: Context) -> Mismatch | None:
    """Why an inner value is needed outside of the match."""
    inside = {id(n) for n in bound.nodes}
    for node in bound.nodes[:-1]:
        value = node.outputs[0]
        outside = next((n for n in value.consumers if id(n) not in inside), None)
        if outside is not None:
            return Mismatch(f"{value.name!r} is also read by {outside.name!r}, outside of the pattern", root)
        if ctx.is_output(value):
            return Mismatch(f"{value.name!r} is also a graph output", root)
    return None


def _emit(
    proto: onnx.NodeProto, tensors: dict[str, Tensor], match: Bound, rw: Rewriter, heir: Node | None
) -> Value | Constant:
    like = next(t for t in match.tensors.values() if t.dtype is not None)
    if proto.op_type == "Constant":
        return rw.constant(plain_attribute(proto.attribute[0]), like=like)
    attrs: dict[str, Any] = {
        a.name: match.attrs.get(a.ref_attr_name) if a.ref_attr_name else plain_attribute(a) for a in proto.attribute
    }
    return rw.op(proto.op_type, *(tensors[n] if n else None for n in proto.input), heir=heir, **attrs)
