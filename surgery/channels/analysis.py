"""The channels of a model: what can go, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surgery.channels.layers import LAYERS, weight_of
from surgery.channels.moves import MOVES
from surgery.channels.pointwise import POINTWISE
from surgery.channels.reshape import RESHAPES
from surgery.channels.ties import Atoms, Block, Ties, Unclear
from surgery.ir import Constant, Graph, Node, Tensor, ops

RULES: dict[str, Callable[[Node, Ties], None]] = {**LAYERS, **POINTWISE, **MOVES, **RESHAPES}
"""How channels correspond, by operator. To add one, write a function ``(node, ties)`` and name it in its module."""


@dataclass(frozen=True)
class Group:
    """Channels of which each can go alone, with all that belongs to it, and all of which touch the same axes.

    Attributes:
        name: of the first weight along which they are output channels; of the first weight, where there is none.
        units: the component of every channel, in the order of that weight.
        blocks: the axes that they touch.
    """

    name: str
    units: Atoms
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Held:
    """A weight whose channels along ``axis`` have to stay, and why."""

    weight: str
    axis: int
    reason: str


class Channels:
    """Which channels of a graph go together.

    Args:
        ties: of all nodes, with all choices settled.
    """

    def __init__(self, graph: Graph, ties: Ties) -> None:
        self.graph = graph
        self._blocks = ties.blocks
        self._label, self._reasons = ties.components()

    def units(self, tensor: Tensor, axis: int, reader: Node) -> Atoms | None:
        """The unit of every index of an axis of what ``reader`` reads or computes; None where nothing is known."""
        for owner in (reader, None):
            block = self._blocks.get((id(tensor), axis, id(owner)))
            if block is not None:
                return self._label[block.atoms]
        return None

    def stays(self, gone: Collection[int]) -> NDArray[np.bool_]:
        """Of every unit whether it stays when ``gone`` go."""
        found = np.ones(len(self._label), np.bool_)
        found[list(gone)] = False
        return found

    def label(self, block: Block) -> Atoms:
        """The unit of every index of ``block``."""
        return self._label[block.atoms]

    def blocks(self) -> Iterator[tuple[Block, Atoms]]:
        """Every axis that a rule looked at, with the unit of each of its indices."""
        for block in self._blocks.values():
            yield block, self._label[block.atoms]

    @cached_property
    def layers(self) -> list[tuple[Node, Constant]]:
        """The nodes with weights, in topological order."""
        return [(node, weight) for node in self.graph.nodes if (weight := weight_of(node)) is not None]

    @cached_property
    def groups(self) -> list[Group]:
        """The groups of what can go, in the order of the graph."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for unit, blocks in self._touched().items():
            alike.setdefault(tuple(blocks), []).append(unit)
        every = list(self._blocks.values())
        made = (self._group([every[i] for i in blocks], units) for blocks, units in alike.items())
        return sorted((g for g in made if g is not None), key=lambda g: self._order[g.name])

    def _touched(self) -> dict[int, list[int]]:
        """By unit of a layer's weights that can go, the numbers of the axes it touches."""
        found: dict[int, list[int]] = {}
        weights = {id(weight) for _, weight in self.layers}
        for block, units in self.blocks():
            if id(block.tensor) in weights:
                found.update({unit: [] for unit in np.unique(units).tolist() if unit not in self._reasons})
        wanted = np.zeros(len(self._label), np.bool_)
        wanted[list(found)] = True
        for number, (_, units) in enumerate(self.blocks()):
            for unit in np.unique(units[wanted[units]]).tolist():
                found[unit].append(number)
        return found

    @cached_property
    def held(self) -> list[Held]:
        """The channels of weights that have to stay, with the first reason for each."""
        found = [
            Held(weight.name, axis, self._reasons[int(stuck[0])])
            for node, weight in self.layers
            for axis in range(min(2, weight.rank))
            if (units := self.units(weight, axis, node)) is not None
            and (stuck := [u for u in units.tolist() if u in self._reasons])
        ]
        return list(dict.fromkeys(found))

    @cached_property
    def _order(self) -> dict[str, int]:
        return {weight.name: index for index, (_, weight) in enumerate(self.layers)}

    def _group(self, blocks: list[Block], units: list[int]) -> Group | None:
        """The group of ``units``; None where there are no weights of a layer, or an axis would be empty."""
        weights = [b for b in blocks if b.tensor.name in self._order and isinstance(b.tensor, Constant)]
        if not weights or any(len(b.atoms) == 1 for b in blocks):
            return None
        first = min(weights, key=lambda b: (not _is_output(b), self._order[b.tensor.name]))
        label = self._label[first.atoms]
        mine = label[np.isin(label, units)]
        return Group(first.tensor.name, mine[np.sort(np.unique(mine, return_index=True)[1])], tuple(blocks))


def analyse(graph: Graph, opset: int, *, open_ends: bool = False) -> Channels:
    """Find out which channels of ``graph`` go together.

    Args:
        graph: with shapes inferred; weights are not read, small constants (shapes, axes) are.
        opset: version of the default domain.
        open_ends: let channels of graph outputs and inputs go, too, which changes the interface.
    """
    ties = Ties(opset)
    for node in graph.nodes:
        _relate(node, ties)
    for kind, ends in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in ends:
            _hold_end(tensor, kind, ties, range(1, 2) if open_ends else None)
    ties.decide()
    return Channels(graph, ties)


def _relate(node: Node, ties: Ties) -> None:
    rule = RULES.get(node.op) if node.is_onnx else None
    try:
        if rule is None:
            raise Unclear("channels that cannot be followed")
        rule(node, ties)
    except Unclear as unclear:
        for tensor in _tensors(node):
            ties.hold_all(tensor, node, f"{node.op} {node.name!r}: {unclear}")


def _tensors(node: Node) -> Iterable[Tensor]:
    """What ``node`` and its bodies touch."""
    yield from (t for t in (*node.inputs, *node.outputs) if not t.is_empty())
    for body in node.bodies():
        for graph in body.walk():
            yield from (t for inner in graph.nodes for t in inner.inputs if not t.is_empty())


def _hold_end(tensor: Tensor, kind: str, ties: Ties, but: range | None) -> None:
    readers = tensor.consumers or ([tensor.producer] if tensor.producer is not None else [])
    for axis in range(len(tensor.shape or ()) if readers else 0):
        if but is None or axis not in but:
            ties.hold(ties.atoms(tensor, axis, readers[0]), f"the graph {kind} {tensor.name!r}")


def _is_output(block: Block) -> bool:
    """Whether an axis of a weight holds output channels, by the layer that reads it."""
    return any(block.axis == ops.output_axis(reader, block.tensor) for reader in block.tensor.consumers)
