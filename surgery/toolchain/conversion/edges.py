"""What stands at the ends of a placed model, for ``remove_node_type`` and ``hb_model_modifier`` to take off.

The toolchain adds nodes of its own: a Quantize in front of the BPU, a Dequantize behind it (and a Reshape behind what
it makes a convolution of); seen with hb_mapper 1.24.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from surgery.ir.graph import Node, Tensor
from surgery.target import Placement

REMOVABLE = {"Reshape": "Reshape", "Cast": "Cast", "Transpose": "Transpose", "QuantizeLinear": "Quantize",
             "DequantizeLinear": "Dequantize", "Softmax": "Softmax"}  # fmt: skip
"""Operators at the ends of a model that the tools take off, with the names they have there."""
TYPES = tuple(dict.fromkeys(REMOVABLE.values()))
COMPUTES = "Softmax"
"""Not among what ``auto`` lists: to leave it to the application costs what it computes."""
MATRICES = frozenset({"Gemm", "MatMul"})
"""The tool makes a convolution of them, and gives their result its rank back by a Reshape; that of pooling, too."""
QUANTIZE, DEQUANTIZE, RESHAPE = "Quantize", "Dequantize", "Reshape"
Side = Literal["input", "output"]


@dataclass(frozen=True)
class Link:
    """One node; ``node`` is its name in the model, "" where the toolchain adds it."""

    type: str
    node: str = ""


@dataclass(frozen=True)
class Chain:
    """What can go at one end, from outside inwards, and why it goes no further.

    Attributes:
        side: which end.
        port: name of the input or output.
        links: from outside inwards; each can go once those before it have.
        stop: a sentence about what stays.
        at: the node that stays, "" where it is none of the model.
        place: in the graph, by the node next to the end: that is the order in which the tools go through ends.
    """

    side: Side
    port: str
    links: tuple[Link, ...]
    stop: str
    at: str = ""
    place: int = 0


def chains(placement: Placement, fed: frozenset[str] | None = None) -> tuple[Chain, ...]:
    """The chains of a model in the order of the tools; ``fed`` are the inputs that are feature maps, all when None."""
    graph = placement.live[0].node.graph if placement.live else None
    if graph is None:
        return ()
    order = {node: index for index, node in enumerate(graph.nodes)}
    heads = ((_head(placement, t, fed), _first(order, t.consumers)) for t in graph.inputs)
    tails = ((_tail(placement, t), _first(order, [t.producer] if t.producer else ())) for t in graph.outputs)
    placed = [replace(chain, place=place) for chain, place in (*heads, *tails)]
    return tuple(sorted(placed, key=lambda chain: chain.place))


def _first(order: Mapping[Node, int], nodes: Iterable[Node]) -> int:
    return min((order.get(node, len(order)) for node in nodes), default=len(order))


def removals(ends: Sequence[Chain]) -> tuple[str, ...]:
    """The types at the ends, outermost first, outputs before inputs.

    hb_mapper goes through the list once, so that a type stays where one that is behind it goes later.
    """
    found = sorted(ends, key=lambda chain: chain.side == "input")
    return tuple(dict.fromkeys(link.type for chain in found for link in _free(chain)))


def _free(chain: Chain) -> Iterator[Link]:
    """The links up to one that computes."""
    for link in chain.links:
        if link.type == COMPUTES:
            return
        yield link


def _device(placement: Placement, node: Node) -> str:
    """Where a node runs, or what it is folded into."""
    row = placement.row(node)
    return placement.host(row) or row.device


def _is_dropped(placement: Placement, node: Node) -> bool:
    """Whether nothing is left of a node."""
    row = placement.row(node)
    return row.device == "folded" and row.into is None


def _tail(placement: Placement, output: Tensor) -> Chain:
    """From an output inwards."""
    links, tensor = list[Link](), output
    while True:
        node = tensor.producer
        if node is None:
            return Chain("output", output.name, tuple(links), f"{tensor.name!r} is an input")
        if reason := _also(placement, tensor, output):
            return Chain("output", output.name, tuple(links), reason, node.name)
        if _device(placement, node) == "bpu":
            links += [*([Link(RESHAPE)] if _is_reshaped(node) else []), Link(DEQUANTIZE)]
            return Chain("output", output.name, tuple(links), f"{node.name!r} is computed on the BPU", node.name)
        if not _is_dropped(placement, node):
            if node.op not in REMOVABLE:
                return Chain("output", output.name, tuple(links), _kind(node), node.name)
            links.append(Link(REMOVABLE[node.op], node.name))
        tensor = node.inputs[0]


def _is_reshaped(node: Node) -> bool:
    """Whether the tool gives the result of ``node`` its rank by a Reshape."""
    pools = node.op.startswith("Reduce") and not node.attrs.get("keepdims", 1)
    return (pools or node.op in MATRICES) and len(node.outputs[0].shape or ()) != len("NCHW")


def _also(placement: Placement, tensor: Tensor, output: Tensor) -> str:
    """Who else reads a tensor on the way to ``output`` outside of the BPU; "" for nobody."""
    node, graph = tensor.producer, tensor.producer.graph if tensor.producer else None
    if tensor is not output and graph is not None and graph.is_output(tensor):
        return f"{tensor.name!r} is an output, too"
    inner = node is not None and _device(placement, node) == "bpu"
    readers = [reader for reader in tensor.consumers if not inner or _device(placement, reader) != "bpu"]
    others = readers if tensor is output else readers[1:]
    return f"{tensor.name!r} also feeds {others[0].name!r}, it must be the only path" if others else ""


def _head(placement: Placement, source: Tensor, fed: frozenset[str] | None) -> Chain:
    """From an input inwards."""
    links, tensor = list[Link](), source
    if fed is not None and source.name not in fed:
        return Chain("input", source.name, (), "the input is a picture, which is converted on the BPU")
    while True:
        readers = tensor.consumers
        if not readers:
            return Chain("input", source.name, tuple(links), f"nothing reads {tensor.name!r}")
        on_bpu = [reader for reader in readers if _device(placement, reader) == "bpu"]
        if len(on_bpu) == len(readers):
            links.append(Link(QUANTIZE))
            return Chain(
                "input", source.name, tuple(links), f"{on_bpu[0].name!r} is computed on the BPU", on_bpu[0].name
            )
        if len(readers) > 1:
            reason = f"{tensor.name!r} feeds {readers[0].name!r} and {readers[1].name!r}, it must be the only path"
            return Chain("input", source.name, tuple(links), reason, readers[0].name)
        node = readers[0]
        if not _is_dropped(placement, node):
            if node.op not in REMOVABLE or node.op == COMPUTES:
                return Chain("input", source.name, tuple(links), _kind(node), node.name)
            links.append(Link(REMOVABLE[node.op], node.name))
        tensor = node.outputs[0]


def _kind(node: Node) -> str:
    return f"{node.op} {node.name!r} is no type that is removed ({', '.join(TYPES)})"
