"""A connected part of a graph whose values have another rank, computed at rank 4 instead.

What changes shape stands only at the ends of the part; what is inside is connected as before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np

from passes.rank.operators import JOINS
from passes.rank.site import FORMS
from surgery.ir import Constant, Node, Tensor, Value
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need

Array: TypeAlias = "np.ndarray[Any, Any]"
MOST = 20000
"""Nodes of a region."""
MOVING = FORMS | {"Transpose", "Slice", "Max"}
"""What lifting adds, which may stay on the CPU at the ends."""


class Layout(ABC):
    """How values of one rank are held at rank 4.

    Attributes:
        rank: of the values held.
        writers: by operator, who writes it at rank 4.
    """

    rank: int
    writers: ClassVar[Mapping[str, Writer]]

    @abstractmethod
    def holds(self, tensor: Tensor, node: Node) -> None:
        """Hold a value against what the layout needs to know of it; raises Mismatch."""

    @abstractmethod
    def up(self, rw: Rewriter, value: Tensor) -> Tensor:
        """``value`` at rank 4."""

    @abstractmethod
    def down(self, rw: Rewriter, value: Tensor, like: Value) -> Tensor:
        """A value of rank 4 in the rank that ``like`` has."""

    @abstractmethod
    def reshaped(self, rw: Rewriter, reader: Node, value: Tensor) -> Tensor | None:
        """What ``reader``, a change of shape, makes of a value, got from rank 4; None where that is no gain."""

    @abstractmethod
    def array(self, array: Array, like: Tensor) -> Array:
        """A constant that meets ``like`` element by element, at rank 4."""


@dataclass(frozen=True)
class Writer:
    """One operator at rank 4.

    Attributes:
        check: raises Mismatch where it cannot be written.
        write: makes it of lifted operands, one result per output.
    """

    check: Callable[[Node], None]
    write: Callable[[Node, Lifted], Sequence[Tensor]]


class Lifted:
    """The values of a region at rank 4, each lifted once."""

    def __init__(self, layout: Layout, rw: Rewriter) -> None:
        self.layout, self.rw = layout, rw
        self._values: dict[Tensor, Tensor] = {}

    def put(self, old: Value, new: Tensor) -> None:
        """Remember what stands for a value."""
        self._values[old] = new

    def get(self, tensor: Tensor) -> Tensor:
        """The value at rank 4: as written, or lifted at the end of the region."""
        if tensor not in self._values:
            self._values[tensor] = self.layout.up(self.rw, tensor)
        return self._values[tensor]

    def operand(self, tensor: Tensor, like: Tensor) -> Tensor:
        """A value, or a constant that meets ``like`` element by element."""
        if isinstance(tensor, Constant):
            return self.rw.constant(self.layout.array(tensor.values, like), name=f"{tensor.name}/rank4")
        return self.get(tensor)


@dataclass(frozen=True)
class Region:
    """Nodes of a layout that are connected with ``root``.

    They are found when they are asked for: whoever only asks every node of a region whether the rule matches would
    find all of them once for each.
    """

    layout: Layout
    root: Node

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, in the order of the graph."""
        return grown(self.layout, self.root)


class Lift(Rule[Region]):
    """What all rules have in common that write a region at rank 4; a subclass has its layout."""

    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    layout: ClassVar[Layout]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.leaves = MOVING | frozenset(cls.layout.writers)

    def match(self, node: Node, ctx: Context) -> Region:
        """The region around ``node``, which itself must be one that can be written."""
        accepts(self.layout, node)
        return Region(self.layout, node)

    def rewrite(self, match: Region, rw: Rewriter) -> None:
        """Write every node, then let what is outside read the results."""
        lifted = Lifted(match.layout, rw)
        for node in match.nodes:
            made = match.layout.writers[node.op].write(node, lifted)
            for old, new in zip(node.outputs, made, strict=True):
                lifted.put(old, new)
        inside = set(match.nodes)
        for node in match.nodes:
            for value in node.outputs:
                _let_out(value, lifted.get(value), inside, match.layout, rw)
        rw.remove(*reversed(match.nodes))


def accepts(layout: Layout, node: Node) -> None:
    """Hold one node against the layout; raises Mismatch."""
    writer = layout.writers.get(node.op)
    if writer is None or not node.is_onnx:
        raise Mismatch(f"{node.op} is not written at rank 4", node)
    for value in values(node):
        need.rank(value, node, layout.rank)
        layout.holds(value, node)
    writer.check(node)


def grown(layout: Layout, root: Node) -> tuple[Node, ...]:
    """All nodes that are connected with ``root`` by nodes that the layout accepts, in the order of the graph."""
    found, queue = {root}, [root]
    while queue and len(found) < MOST:
        for other in _around(queue.pop()):
            if other not in found and other.graph is root.graph and _accepted(layout, other):
                found.add(other)
                queue.append(other)
    return tuple(sorted(found, key=lambda n: n.position))


def _accepted(layout: Layout, node: Node) -> bool:
    try:
        accepts(layout, node)
    except Mismatch:
        return False
    return True


def values(node: Node) -> list[Value]:
    """What ``node`` reads and computes of the region's rank: its results, and its operands but those of shape."""
    operands = node.inputs if node.op in JOINS else node.inputs[:1]
    return [t for t in (*operands, *node.outputs) if isinstance(t, Value) and not t.is_empty()]


def _around(node: Node) -> list[Node]:
    makers = [t.producer for t in values(node)]
    return [n for n in (*makers, *(r for v in node.outputs for r in v.consumers)) if n is not None and n is not node]


def _let_out(value: Value, lifted: Tensor, inside: set[Node], layout: Layout, rw: Rewriter) -> None:
    """Let readers outside of the region read ``value`` in its own rank, or at rank 4 where they undo that."""
    for reader in [r for r in value.consumers if r not in inside and r.op in FORMS and r.inputs[0] is value]:
        if (made := layout.reshaped(rw, reader, lifted)) is not None:
            rw.replace(reader, made)
    if any(r not in inside for r in value.consumers) or rw.is_output(value):
        rw.replace_value(value, layout.down(rw, lifted, value))
