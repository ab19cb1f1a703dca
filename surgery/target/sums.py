"""Sums that a transposed convolution takes up, and of which the toolchain's optimiser leaves the graph unsorted."""

from __future__ import annotations

from collections.abc import Mapping

from surgery.ir.graph import Node, Tensor
from surgery.target.folds import Folds
from surgery.target.lookups import sole_reader
from surgery.target.verdict import Device

_ACTIVATIONS = frozenset({"Relu", "Clip"})


def unsorted_sums(devices: Mapping[Node, Device], folds: Folds) -> tuple[str, ...]:
    """Names of the sums, by the devices of all nodes: taken up, given out by the graph, and read on the BPU beside."""
    taken = (node for node in devices if _is_taken_up(node, devices, folds))
    return tuple(node.name for node in taken if _is_shared(node, devices, folds))


def _is_taken_up(node: Node, devices: Mapping[Node, Device], folds: Folds) -> bool:
    """Whether the Add of two values goes into a transposed convolution on the BPU, and into no other."""
    if node.op != "Add" or node in folds.into or devices[node] != "bpu":
        return False
    data = folds.computed(node)
    return len(data) == 2 and data[0].shape == data[1].shape and any(_takes(t, node, devices, folds) for t in data)


def _takes(tensor: Tensor, add: Node, devices: Mapping[Node, Device], folds: Folds) -> bool:
    maker = tensor.producer
    if maker is None or sole_reader(maker) is not add:
        return False
    host = folds.home(maker)
    return host.op == "ConvTranspose" and devices.get(host) == "bpu" and host not in folds.activated


def _is_shared(node: Node, devices: Mapping[Node, Device], folds: Folds) -> bool:
    """Whether the graph gives out the sum, or what an activation makes of it, and a node on the BPU reads that, too."""
    reader = sole_reader(node)
    last = reader if reader is not None and reader.op in _ACTIVATIONS else node
    value = last.outputs[0]
    given = node.graph is not None and node.graph.is_output(value)
    return given and any(devices.get(folds.home(each)) == "bpu" for each in value.outputs)
