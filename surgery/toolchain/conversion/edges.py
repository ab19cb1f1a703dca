"""Which node types ``remove_node_type`` should list for a placed model, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from surgery.ir.graph import Tensor
from surgery.target import Placement

REMOVABLE = {"Reshape": "Reshape", "Cast": "Cast", "Transpose": "Transpose", "QuantizeLinear": "Quantize",
             "DequantizeLinear": "Dequantize"}  # fmt: skip
"""Operators at the edges of a model that the tools take off, with the names they have there. Softmax is not among them:
to leave it to the application costs what it computes."""
OWN_TAIL, OWN_HEAD = ("Reshape", "Dequantize"), ("Quantize",)
"""What the tool puts behind the last node on the BPU (a Reshape behind what it makes a convolution of), and before the
first one at a feature map; seen with hb_mapper 1.24.3."""


def removals(placement: Placement, fed: frozenset[str]) -> tuple[str, ...]:
    """The types at the edges, outermost first, at inputs those of ``fed``, which are feature maps.

    hb_mapper goes through the list once, so that a type stays where one that is behind it goes later.
    """
    graph = placement.live[0].node.graph if placement.live else None
    if graph is None:
        return ()
    chains = [*(_tail(placement, tensor) for tensor in graph.outputs)]
    chains += [_head(placement, tensor) for tensor in graph.inputs if tensor.name in fed]
    return tuple(dict.fromkeys(name for chain in chains for name in chain))


def _tail(placement: Placement, tensor: Tensor) -> Iterator[str]:
    """The types from an output inwards, as far as nothing else reads what is between them."""
    node = tensor.producer
    while node is not None and node.op in REMOVABLE and placement.device(node) != "bpu":
        yield REMOVABLE[node.op]
        tensor = node.inputs[0]
        node = tensor.producer if len(tensor.outputs) == 1 else None
    if node is not None and placement.device(node) == "bpu":
        yield from OWN_TAIL


def _head(placement: Placement, tensor: Tensor) -> Iterator[str]:
    """The types from an input inwards."""
    while len(tensor.outputs) == 1 and (node := tensor.outputs[0]).op in REMOVABLE and placement.device(node) != "bpu":
        yield REMOVABLE[node.op]
        tensor = node.outputs[0]
    if any(placement.device(node) == "bpu" for node in tensor.outputs):
        yield from OWN_HEAD
