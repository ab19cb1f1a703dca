"""The twin of a graph while it is made: its nodes, and for every value of the graph what of it waits to be moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.target.folds import RESHAPES
from surgery.target.movers import dims, value_like
from surgery.target.moves import Move, Moves
from surgery.target.shapes import Dims
from surgery.target.verdict import Violation


@dataclass
class Twin:
    """The graph with everything moved.

    ``own`` leads from its nodes to those that they stand for, ``merged`` from a movement of the graph to the one behind
    it that it became one with. ``free`` leads from nodes of the toolchain's own, for which no limits hold, to the node
    of the twin for whose sake they are; ``failing`` says of some why the compiler fails where they are on the BPU.
    """

    graph: Graph
    own: dict[Node, Node] = field(default_factory=dict)
    merged: dict[Node, Node] = field(default_factory=dict)
    free: dict[Node, Node] = field(default_factory=dict)
    failing: dict[Node, Violation] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """A value of the model: what the movements that wait make of a value of the twin."""

    source: Tensor
    moves: Moves = ()


def _is_move_of(node: Node, move: Move) -> bool:
    """Whether the movement is what the node does, by itself."""
    return (move.before, move.after) == (dims(node.inputs[0]), dims(node.outputs[0]))


def _is_taken_in(node: Node) -> bool:
    """Whether the movement before goes on for both: a Transpose of dims of 1, or a Reshape that only Gemms read."""
    readers = node.outputs[0].outputs
    given = node.graph is not None and node.graph.is_output(node.outputs[0])
    return node.op == "Transpose" or (bool(readers) and not given and all(each.op == "Gemm" for each in readers))


class Values:
    """Values of a graph in its twin, of whose movements each is done once, where something reads the value.

    Attributes:
        twin: made so far.
        moved: whether anything was moved.
    """

    def __init__(self, name: str) -> None:
        self.twin = Twin(Graph(name))
        self.moved = False
        self._held: dict[Tensor, Held] = {}
        self._made: dict[tuple[Tensor, Moves], Tensor] = {}
        self._movers: dict[tuple[Tensor, Moves], Node] = {}

    def held(self, tensor: Tensor) -> Held:
        """How ``tensor`` is held; a copy of it where nothing made it."""
        if tensor not in self._held:
            known = Constant(tensor.name, tensor.weight) if isinstance(tensor, Constant) else None
            self._held[tensor] = Held(known or value_like(tensor, tensor.shape))
        return self._held[tensor]

    def real(self, tensor: Tensor) -> Tensor:
        """``tensor`` in the twin, with its movements done."""
        held = self.held(tensor)
        return self.after(held.source, held.moves)

    def after(self, source: Tensor, moves: Moves) -> Tensor:
        """What ``moves`` make of a value of the twin; each is done once, by the node that did it if there is one."""
        for count, move in enumerate(moves, 1):
            key = (source, moves[:count])
            if key not in self._made:
                before = self._made[source, moves[: count - 1]] if count > 1 else source
                self._made[key] = self._move(before, move, self._movers.get(key))
        return self._made[source, moves] if moves else source

    def _move(self, source: Tensor, move: Move, node: Node | None) -> Tensor:
        name = node.outputs[0].name if node is not None else f"{source.name}_moved"
        out = Value(name, source.dtype, move.after)
        perm = move.perm
        if perm is None and node is not None and node.op == "Transpose" and _is_move_of(node, move):
            perm = tuple(node.attrs["perm"])
        if perm is not None:
            self.add(Node("Transpose", "", {"perm": list(perm)}, [source], [out]), node)
        elif node is not None and node.op in RESHAPES:
            rest = [self.real(tensor) for tensor in node.inputs[1:]]
            self.add(Node(node.op, "", dict(node.attrs), [source, *rest], [out]), node)
        else:
            shape = Constant(f"{name}_shape", np.array(move.after, np.int64))
            self.add(Node("Reshape", "", {}, [source, shape], [out]), None)
        return out

    def add(self, new: Node, node: Node | None) -> Node:
        """Put a node into the twin, for a node of the model or for none."""
        new.graph, new.position = self.twin.graph, (len(self.twin.graph.nodes),)
        new.name = node.name if node is not None else f"{new.outputs[0].name}_{new.op}"
        self.twin.graph.nodes.append(new)
        if node is not None:
            self.twin.own[new] = node
        return new

    def copy(self, node: Node) -> None:
        """Put the node into the twin as it is, reading what it reads."""
        inputs = [Value.empty() if tensor.is_empty() else self.real(tensor) for tensor in node.inputs]
        outputs = [value_like(out, out.shape) for out in node.outputs]
        self.add(Node(node.op, node.name, dict(node.attrs), inputs, outputs, node.domain), node)
        for out, copy in zip(node.outputs, outputs, strict=True):
            self.hold(out, copy)

    def hold(self, tensor: Tensor, source: Tensor, moves: Moves = (), by: Node | None = None) -> None:
        """Have ``tensor`` be what ``moves`` make of a value of the twin; ``by`` did the last of them."""
        before = self._held.get(by.inputs[0]) if by is not None else None
        self._held[tensor] = Held(source, moves)
        if by is None or before is None:
            return
        first = self._movers.get((source, before.moves)) if len(moves) <= len(before.moves) else None
        if first is not None and _is_taken_in(by):
            self.twin.merged[by], by = first, first
        elif first is not None:
            self.twin.merged[first] = by
        if self._movers.setdefault((source, moves), by) is not by:
            self.moved = True

    def until(self, tensor: Tensor, count: int) -> Tensor:
        """``tensor`` in the twin before its last ``count`` movements."""
        if tensor.is_empty():
            return Value.empty()
        held = self.held(tensor)
        return self.after(held.source, held.moves[: len(held.moves) - count])

    def work(
        self, node: Node, inputs: Iterable[Tensor], shape: Dims, moves: Moves, attrs: dict[str, object] | None = None
    ) -> None:
        """The node on values before ``moves``, which then wait behind it."""
        old = node.outputs[0]
        out = value_like(old, shape)
        self.add(Node(node.op, node.name, dict(node.attrs) if attrs is None else attrs, list(inputs), [out]), node)
        self.hold(old, out, moves)
        self.moved = True
