"""What stands at the ends of a placed model, for ``remove_node_type`` and ``hb_model_modifier`` to take off.

The toolchain adds nodes of its own: a Quantize in front of the BPU, a Dequantize behind it (and a Reshape behind what
it makes a convolution of); seen with hb_mapper 1.24.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from surgery.ir.graph import Node, Tensor
from surgery.target import Placement

RESHAPE, TRANSPOSE, QUANTIZE, DEQUANTIZE, COMPUTES = "Reshape", "Transpose", "Quantize", "Dequantize", "Softmax"
REMOVABLE = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), RESHAPE),
    "Cast": "Cast",
    "Transpose": TRANSPOSE,
    "QuantizeLinear": QUANTIZE,
    "DequantizeLinear": DEQUANTIZE,
    "Softmax": COMPUTES,
}
"""Operators at the ends of a model that the tools take off, with the names they have there. Softmax is not among what
``auto`` lists: to leave it to the application costs what it computes."""
TYPES = tuple(dict.fromkeys(REMOVABLE.values()))
MATRICES = frozenset({"Gemm", "MatMul"})
"""The tool makes a convolution of them, and gives their result its rank back by a Reshape; that of pooling, too."""
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


Walked = tuple[list[Link], str, Node | None]
"""The links of a chain, why it ends, and at which node."""


def chains(placement: Placement, fed: frozenset[str] | None = None) -> tuple[Chain, ...]:
    """The chains of a model in the order of the tools; ``fed`` are the inputs that are feature maps, all when None."""
    graph = placement.live[0].node.graph if placement.live else None
    if graph is None:
        return ()
    order = {node: index for index, node in enumerate(graph.nodes)}
    heads = [_chain("input", t, _head(placement, t, fed), _first(order, t.consumers)) for t in graph.inputs]
    made = [(t, [t.producer] if t.producer is not None else []) for t in graph.outputs]
    tails = [_chain("output", t, _tail(placement, t), _first(order, by)) for t, by in made]
    return tuple(sorted((*heads, *tails), key=lambda chain: chain.place))


def _chain(side: Side, end: Tensor, walked: Walked, place: int) -> Chain:
    links, stop, node = walked
    return Chain(side, end.name, tuple(links), stop, node.name if node is not None else "", place)


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


def _tail(placement: Placement, output: Tensor) -> Walked:
    """From an output inwards."""
    links, tensor = list[Link](), output
    while True:
        node = tensor.producer
        if node is None:
            return links, f"{tensor.name!r} is an input", None
        if reason := _also(placement, tensor, output):
            return links, reason, node
        if _device(placement, node) == "bpu":
            reshaped = _is_reshaped(node) or (_layouts(placement) and _is_flat(tensor))
            links += [*([Link(RESHAPE)] if reshaped else []), Link(DEQUANTIZE)]
            return links, _computed(node), node
        if not _is_dropped(placement, node) and not _joins_layout(placement, node):
            if node.op not in REMOVABLE:
                return links, _kind(node), node
            links.append(Link(REMOVABLE[node.op], node.name))
        tensor = node.inputs[0]


def _layouts(placement: Placement) -> bool:
    """Whether changes of layout are nodes at the ends."""
    return placement.target.march.removal.layout == "outside"


def _is_flat(tensor: Tensor) -> bool:
    """Whether a change of the layout of ``tensor`` moves nothing: it has one channel, or one place."""
    shape = tensor.shape or ()
    return len(shape) != len("NCHW") or shape[1] == 1 or tuple(shape[2:]) == (1, 1)


def _joins_layout(placement: Placement, node: Node) -> bool:
    """Whether a Reshape of a map of one place is one with the change of layout on the BPU."""
    data = node.inputs[0]
    maker, shape = data.producer, data.shape or ()
    one = REMOVABLE.get(node.op) == RESHAPE and len(shape) == len("NCHW") and tuple(shape[2:]) == (1, 1)
    return one and maker is not None and _device(placement, maker) == "bpu"


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


def _head(placement: Placement, source: Tensor, fed: frozenset[str] | None) -> Walked:
    """From an input inwards."""
    links, tensor = list[Link](), source
    if fed is not None and source.name not in fed:
        return links, "the input is a picture, which is converted on the BPU", None
    while readers := tensor.consumers:
        node = readers[0]
        if all(_device(placement, reader) == "bpu" for reader in readers):
            turned = [Link(RESHAPE if _is_flat(tensor) else TRANSPOSE)] if _layouts(placement) else []
            return [*links, *turned, Link(QUANTIZE)], _computed(node), node
        if len(readers) > 1:
            other = readers[1].name
            return links, f"{tensor.name!r} feeds {node.name!r} and {other!r}, it must be the only path", node
        if not _is_dropped(placement, node):
            if node.op not in REMOVABLE or node.op == COMPUTES:
                return links, _kind(node), node
            links.append(Link(REMOVABLE[node.op], node.name))
        tensor = node.outputs[0]
    return links, f"nothing reads {tensor.name!r}", None


def _computed(node: Node) -> str:
    return f"{node.name!r} is computed on the BPU"


def _kind(node: Node) -> str:
    return f"{node.op} {node.name!r} is no type that is removed ({', '.join(TYPES)})"
