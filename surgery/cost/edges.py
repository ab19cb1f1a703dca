"""Which tensors of a node come from memory or go there: those of the graph's edge, and of a node on the other side."""

from __future__ import annotations

from typing import NamedTuple

from surgery.cost.links import feeder, is_weight
from surgery.cost.segments import ON_BPU, Devices
from surgery.cost.work import elements
from surgery.ir.graph import Node, Tensor


class Edge(NamedTuple):
    """What a node reads from memory, what it writes for the host, and what of that channels first."""

    enters: tuple[Tensor, ...] = ()
    leaves: tuple[Tensor, ...] = ()
    first: tuple[Tensor, ...] = ()

    def sizes(self) -> tuple[int, int]:
        """Elements that enter and elements that leave; memory has them without padding."""
        enters, leaves = (sum(map(elements, side)) for side in (self.enters, self.leaves))
        return enters, leaves


def edge_of(node: Node, device: Devices | None = None) -> Edge:
    """The edge of a node on the BPU; without ``device`` only the graph's own inputs and outputs are known."""
    enters = tuple(t for t in node.inputs if t.name and not is_weight(t) and _is_outside(t, device))
    leaves = tuple(t for t in node.outputs if t.name and _is_read_outside(node, t, device))
    return Edge(enters, leaves, tuple(t for t in leaves if _is_channels_first(node, t, device)))


def _is_outside(tensor: Tensor, device: Devices | None) -> bool:
    made = feeder(tensor, alone=False)
    return made is None or (device is not None and device(made) == "cpu")


def _is_read_outside(node: Node, tensor: Tensor, device: Devices | None) -> bool:
    """Whether the host reads a tensor, or what nodes without work of their own make of it."""
    graph = node.graph
    if graph is not None and graph.is_output(tensor):
        return True
    return device is not None and any(_hands_on(reader, device) for reader in tensor.outputs)


def _is_channels_first(node: Node, tensor: Tensor, device: Devices | None) -> bool:
    """Whether the host reads a map as the graph has it: an output, or what a node on the CPU works on.

    On bernoulli2 such a map takes 3.4 ns an element, one whose Transpose to channels last went 0.4.
    """
    graph = node.graph
    if graph is not None and graph.is_output(tensor):
        return True
    return device is not None and any(_keeps_channels_first(reader, device) for reader in tensor.outputs)


def _keeps_channels_first(reader: Node, device: Devices) -> bool:
    side = device(reader)
    if side == "folded" and reader.op != "Transpose":
        return any(_is_channels_first(reader, out, device) for out in reader.outputs)
    return side == "cpu"


def _hands_on(reader: Node, device: Devices) -> bool:
    side = device(reader)
    if side == "folded":
        return any(_is_read_outside(reader, t, device) for t in reader.outputs if t.name)
    return side not in ON_BPU
