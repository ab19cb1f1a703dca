"""What goes through memory for want of room on the chip: a share of every large tensor.

The compiler works through a large map some rows at a time, so that much of it is never held whole; a tensor that
several nodes read, or one that joins branches, waits longer than one that is handed on. On some marches it cannot go
on working through rows behind a lookup, so that what that makes goes through memory, however small it is.
"""

from __future__ import annotations

from typing import NamedTuple

from surgery.cost import activation
from surgery.cost.edges import Edge
from surgery.cost.kinds import NATIVE, Kind, kinds
from surgery.cost.links import features
from surgery.cost.work import elements
from surgery.ir.graph import Node, Tensor


class Room(NamedTuple):
    """Elements of a tensor that there is room for, and the share of the others that goes through memory."""

    size: float
    share: float

    def beyond(self, size: int) -> int:
        """Elements of a tensor of ``size`` that go through memory."""
        return round(self.share * max(0.0, size - self.size))


class Rooms(NamedTuple):
    """The rooms for tensors that are held and for those that are handed on, and for lookups' where that is another."""

    held: Room
    handed: Room
    looked_up: Room | None = None

    @property
    def least(self) -> float:
        """The size up to which there is room for every tensor."""
        return min(room.size for room in self if room is not None)

    def of(self, tensor: Tensor) -> Room:
        """The room for a tensor."""
        if self.looked_up is not None and is_looked_up(tensor):
            return self.looked_up
        return self.held if is_held(tensor) else self.handed


class Traffic(NamedTuple):
    """Elements that a node reads and writes."""

    read: int
    written: int


class Sizes(NamedTuple):
    """Elements of the tensors that are held, of those that are handed on, and of both what lookups make."""

    held: tuple[int, ...]
    handed: tuple[int, ...]
    held_looked: tuple[int, ...]
    handed_looked: tuple[int, ...]


def spilled(node: Node, rooms: Rooms) -> Traffic:
    """What a node moves through memory for want of room on the chip."""
    least, found = rooms.least, []
    for side in (features(node), node.outputs):
        large = [(t, size) for t in side if t.name and (size := elements(t)) > least and not _is_inside(t)]
        found.append(sum(rooms.of(t).beyond(size) for t, size in large))
    return Traffic(*found)


def sizes(node: Node, edge: Edge) -> Sizes:
    """The sizes of all that a node may move through memory: what it reads and writes, a side at the edge left out."""
    kept: tuple[list[int], ...] = [], [], [], []
    read, written = () if edge.enters else features(node), () if edge.leaves else node.outputs
    for tensor in (*read, *written):
        if tensor.name and not _is_inside(tensor):
            kept[2 * is_looked_up(tensor) + (not is_held(tensor))].append(elements(tensor))
    return Sizes(*map(tuple, kept))


def is_held(tensor: Tensor) -> bool:
    """Whether several nodes read a tensor, or one that joins branches; those of one lookup are one."""
    readers = set(tensor.outputs)
    for product in tuple(readers):
        if product.op == "Mul" and not readers.isdisjoint(one := activation.region(product)):
            readers -= {product, *one}
            return bool(readers)
    return len(readers) > 1 or any(len(features(reader)) > 1 for reader in readers)


def is_looked_up(tensor: Tensor) -> bool:
    """Whether a table of its own makes a tensor."""
    made = tensor.producer
    return made is not None and made.op not in NATIVE and kinds(made) == (Kind.LOOKUP,)


def _is_inside(tensor: Tensor) -> bool:
    """Whether a tensor is only between nodes that are one lookup."""
    return tensor.producer is not None and activation.inside(tensor.producer)
