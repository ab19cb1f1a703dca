"""The numbered segments of what runs on the BPU."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from surgery.ir.graph import Node, Tensor
from surgery.target.folds import Folds
from surgery.target.rows import CUT, LAYOUT, Row

_OFF = ("cpu", "unknown", "refused")


def edges(rows: Iterable[Row], folds: Folds) -> Iterator[tuple[Node | Tensor, Node]]:
    """What feeds each surviving node: a surviving or dropped node, or a graph input; in topological order."""
    for row in rows:
        reader = folds.home(row.node)
        for tensor in row.node.inputs:
            if tensor.is_empty() or folds.is_constant(tensor):
                continue
            maker: Node | Tensor = folds.home(tensor.producer) if tensor.producer is not None else tensor
            if maker is not reader:
                yield maker, reader


def _integers(rows: Iterable[Row], folds: Folds) -> Iterator[tuple[Node, Node]]:
    """Maker and reader of integers that an operator of the CPU reads, too: a Cast there is in front of all readers."""
    off = {row.node for row in rows if row.device == "cpu"}
    for row in rows:
        for tensor in row.node.outputs:
            if tensor.dtype is not None and tensor.dtype.kind == "i" and off.intersection(tensor.outputs):
                yield from ((folds.home(row.node), folds.home(reader)) for reader in tensor.outputs)


def number_segments(rows: list[Row], folds: Folds, apart: AbstractSet[Node]) -> None:
    """Give BPU rows their segment: those connected, by a value passed on or read in common, at one depth.

    Depth counts how often the way to a node leaves the BPU, maybe by a Cast, at most, or the nodes ``apart`` for
    others, or others for these.
    """
    device: dict[Node | Tensor, str] = {row.node: "cpu" if row.note in (CUT, LAYOUT) else row.device for row in rows}
    depth: dict[Node | Tensor, int] = {}
    links: list[tuple[Node | Tensor, Node]] = []
    cast = {edge for edge in _integers(rows, folds) if device.get(edge[0]) == device.get(edge[1]) == "bpu"}
    for maker, reader in edges(rows, folds):
        before, after = device.get(maker), device.get(reader)
        leaves = (maker, reader) in cast or (
            before == "bpu" and (after in _OFF or (after == "bpu" and (maker in apart) != (reader in apart)))
        )
        depth[reader] = max(depth.get(reader, 0), depth.get(maker, 0) + leaves)
        if after == "bpu":
            links.append((maker, reader))
    union = _Union()
    for maker, reader in links:
        same = device.get(maker) == "bpu" and depth.get(maker, 0) == depth[reader]
        union.join(maker if same else (id(maker), depth[reader], reader in apart), reader)
    numbers: dict[Hashable, int] = {}
    for row in rows:
        if row.device == "bpu":
            row.segment = numbers.setdefault(union.root(row.node), len(numbers))


class _Union:
    """Disjoint sets of hashable things."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def root(self, item: Hashable) -> Hashable:
        """The representative of the set of ``item``."""
        parent = self._parent
        while (up := parent.get(item, item)) is not item:
            parent[item] = parent.get(up, up)
            item = up
        return item

    def join(self, one: Hashable, other: Hashable) -> None:
        """Make the sets of two things one."""
        self._parent[self.root(other)] = self.root(one)
