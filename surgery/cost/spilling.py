"""What goes through memory for want of room on the chip: a share of every large tensor.

The compiler works through a large map some rows at a time, so that much of it is never held whole; a tensor that
several nodes read, or one that joins branches, waits longer than one that is handed on.
"""

from __future__ import annotations

from typing import NamedTuple

from surgery.cost import activation
from surgery.cost.edges import Edge
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


class Traffic(NamedTuple):
    """Elements that a node reads and writes."""

    read: int
    written: int


class Sizes(NamedTuple):
    """Elements of the tensors that are held, and of those that are handed on."""

    held: tuple[int, ...]
    handed: tuple[int, ...]


def spilled(node: Node, held: Room, handed: Room) -> Traffic:
    """What a node moves through memory for want of room on the chip."""
    least = min(held.size, handed.size)
    found = []
    for side in (features(node), node.outputs):
        large = [(t, size) for t in side if t.name and (size := elements(t)) > least and not _is_inside(t)]
        found.append(sum((held if is_held(t) else handed).beyond(size) for t, size in large))
    return Traffic(*found)


def sizes(node: Node, edge: Edge) -> Sizes:
    """The sizes of all that a node may move through memory: what it reads and writes, a side at the edge left out."""
    kept: tuple[list[int], list[int]] = [], []
    read, written = () if edge.enters else features(node), () if edge.leaves else node.outputs
    for tensor in (*read, *written):
        if tensor.name and not _is_inside(tensor):
            kept[not is_held(tensor)].append(elements(tensor))
    return Sizes(*map(tuple, kept))


def is_held(tensor: Tensor) -> bool:
    """Whether several nodes read a tensor, or one that joins branches; those of one lookup are one."""
    readers = set(tensor.outputs)
    for product in tuple(readers):
        if product.op == "Mul" and not readers.isdisjoint(one := activation.region(product)):
            readers -= {product, *one}
            return bool(readers)
    return len(readers) > 1 or any(len(features(reader)) > 1 for reader in readers)


def _is_inside(tensor: Tensor) -> bool:
    """Whether a tensor is only between nodes that are one lookup."""
    return tensor.producer is not None and activation.inside(tensor.producer)
