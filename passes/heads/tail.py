"""Where the last part of a model begins: behind the last convolutions, or where the CPU takes over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from surgery.ir import Constant, Graph, Node, Tensor, Value

HEAVY = frozenset(
    {
        "Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "Gemm", "MatMul", "MatMulInteger",
        "QLinearMatMul", "Einsum", "LSTM", "GRU", "RNN", "Attention", "GridSample", "MaxPool", "AveragePool",
        "GlobalAveragePool", "GlobalMaxPool",
    }
)  # fmt: skip
"""What a head is computed by; behind the last of them begins its decoding."""
ACTIVATIONS = frozenset({"BatchNormalization", "Clip", "Elu", "HardSwish", "LeakyRelu", "PRelu", "Relu"})
"""What belongs to the convolution in front."""
ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
BINS = range(2, 65)
"""Bins that a side of a box is a distribution over (DFL); the published models have 8 to 33."""


def bins_of(node: Node) -> int | None:
    """How many bins ``node`` weighs by 0, 1, 2 …, as DFL turns a distribution into a distance; None for others."""
    weights = [t for t in node.inputs if isinstance(t, Constant) and t.dtype.kind == "f"]
    if node.op not in {"Conv", "MatMul", "Mul"} or len(weights) != 1:
        return None
    count = int(np.prod(weights[0].shape))
    counted = count in BINS and np.array_equal(weights[0].values.reshape(-1), np.arange(count))
    return count if counted else None


def is_heavy(node: Node) -> bool:
    """Whether ``node`` computes a head, rather than decodes it."""
    return node.op in HEAVY and node.is_onnx and bins_of(node) is None


def readers(value: Tensor, graph: Graph) -> Iterator[Node]:
    """The nodes of the main graph that read ``value``, themselves or in a body of theirs."""
    for node in value.consumers:
        owner = node
        while owner.graph is not graph and owner.graph is not None and owner.graph.owner is not None:
            owner = owner.graph.owner
        yield owner


def below(starts: Collection[Tensor], graph: Graph) -> list[Node]:
    """Every node that depends on one of ``starts``, in topological order."""
    reached: set[Node] = set()
    for value in starts:
        reached.update(readers(value, graph))
    for node in graph.nodes:
        if node in reached:
            for value in node.outputs:
                reached.update(readers(value, graph))
    return [node for node in graph.nodes if node in reached]


def crossing(part: Sequence[Node]) -> list[Value]:
    """What ``part`` reads from outside, constants left out, in the order it is read."""
    inside = {value for node in part for value in node.outputs}
    found: dict[Value, None] = {}
    for node in part:
        for tensor in reads(node):
            if isinstance(tensor, Value) and not tensor.is_empty() and tensor not in inside:
                found[tensor] = None
    return list(found)


def reads(node: Node) -> Iterator[Tensor]:
    """What ``node`` reads, and what its bodies read from outside."""
    yield from node.inputs
    inner = [each for body in node.bodies() for graph in body.walk() for each in graph.nodes]
    own = {value for each in inner for value in each.outputs}
    own |= {t for body in node.bodies() for graph in body.walk() for t in graph.inputs if isinstance(t, Value)}
    yield from (t for each in inner for t in each.inputs if t not in own)
    yield from (t for body in node.bodies() for t in body.outputs if t not in own)


def behind_convolutions(graph: Graph, stays: Callable[[Node], bool]) -> list[Node]:
    """The nodes behind the last heavy ones: what decodes a head. ``stays`` says what else is no decoding."""
    heads = [node for node in graph.nodes if is_heavy(node)]
    fed = below([value for node in heads for value in node.outputs], graph)
    decoding: set[Node] = set()
    candidates = set(fed)
    for node in reversed(graph.nodes):
        behind = [reader for value in node.outputs for reader in readers(value, graph)]
        used = behind or any(graph.is_output(value) for value in node.outputs)
        if node in candidates and not is_heavy(node) and used and decoding.issuperset(behind):
            decoding.add(node)
    for node in graph.nodes:
        if node in decoding and _belongs_in_front(node, decoding, stays):
            decoding.remove(node)
    return [node for node in graph.nodes if node in decoding]


def _belongs_in_front(node: Node, decoding: Collection[Node], stays: Callable[[Node], bool]) -> bool:
    """Whether ``node``, fed by nothing that decodes, is the activation or bias of the layer in front of it."""
    made = [t.producer for t in node.inputs if isinstance(t, Value) and not t.is_empty()]
    if any(maker is None or maker in decoding for maker in made):
        return False
    if node.op in ACTIVATIONS or stays(node):
        return True
    if node.op == "Sigmoid":
        return _is_gate(node)
    if node.op not in ARITHMETIC:
        return False
    constants = [t for t in node.inputs if isinstance(t, Constant)]
    return _is_gated(node) or any(_per_channel(t, node) for t in constants)


def _is_gate(node: Node) -> bool:
    """Whether a Sigmoid is half of ``x * Sigmoid(x)``."""
    return any(_is_gated(reader) for reader in node.outputs[0].consumers)


def _is_gated(node: Node) -> bool:
    gates = [t.producer for t in node.inputs if t.producer is not None and t.producer.op == "Sigmoid"]
    return node.op == "Mul" and any(gate.inputs[0] in node.inputs for gate in gates)


def _per_channel(constant: Constant, node: Node) -> bool:
    """Whether a constant is one number, or one for each channel of a map or column of a matrix."""
    shape, out = constant.shape, node.outputs[0].shape
    if int(np.prod(shape)) == 1:
        return True
    axis = 1 if out is not None and len(out) == len("NCHW") else -1
    return out is not None and int(np.prod(shape)) == out[axis] and max(shape) == out[axis]
