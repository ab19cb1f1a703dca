"""Named facts of whole models, which the ``model`` rules of march files are written in. To add one, write it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from surgery.ir.graph import Constant, Graph, Node, Tensor

if TYPE_CHECKING:
    from surgery.ir import Model

Fact: TypeAlias = "Callable[[Model], Any]"
FACTS: dict[str, Fact] = {}
"""Every fact by name."""


PLACED = (
    "nodes",
    "bpu",
    "cpu",
    "folded",
    "refused",
    "unknown",
    "segments",
    "unsorted_sums",
    "shared_roots",
    "stranded",
    "sloped",
    "looped",
    "forked",
    "turned",
)
"""Facts of a placed model, which the ``placed`` rules are written in: counts, and names of nodes."""


def fact(function: Fact) -> Fact:
    """Register a function as the fact of its own name."""
    FACTS[function.__name__] = function
    return function


def model_facts(model: Model) -> dict[str, Any]:
    """All facts of one model."""
    return {name: find(model) for name, find in FACTS.items()}


@fact
def opset(model: Model) -> int:
    """Opset of the default domain."""
    return model.opset


@fact
def ir_version(model: Model) -> int:
    """Version of the ONNX file format."""
    return model.ir_version


@fact
def inputs(model: Model) -> int:
    """How many inputs the graph has."""
    return len(model.graph.inputs)


@fact
def outputs(model: Model) -> int:
    """How many outputs the graph has."""
    return len(model.graph.outputs)


@fact
def input_ranks(model: Model) -> tuple[int, ...]:
    """Ranks of the graph inputs, as far as known."""
    return tuple(len(t.shape) for t in model.graph.inputs if t.shape is not None)


@fact
def io_bytes(model: Model) -> tuple[int, ...]:
    """Bytes of every graph input and output, those of symbolic shape aside."""
    tensors = (*model.graph.inputs, *model.graph.outputs)
    return tuple(size for t in tensors if (size := _bytes(t)) is not None)


def _bytes(tensor: Tensor) -> int | None:
    sizes = [d for d in tensor.shape or () if isinstance(d, int)]
    if tensor.shape is None or tensor.dtype is None or len(sizes) != len(tensor.shape):
        return None
    return prod(sizes) * int(tensor.dtype.itemsize)


@fact
def domains(model: Model) -> tuple[str, ...]:
    """Domains of the operators that are not ONNX's own."""
    nodes = (node for graph in model.graph.walk() for node in graph.nodes)
    return tuple(dict.fromkeys(node.domain for node in nodes if not node.is_onnx))


@fact
def dynamic_dims(model: Model) -> tuple[str, ...]:
    """Dims of the graph inputs that are no numbers."""
    return tuple(text for t in model.graph.inputs for text in _dynamic(t))


def _dynamic(tensor: Tensor) -> list[str]:
    if tensor.shape is None:
        return [f"{tensor.name}: rank"]
    return [f"{tensor.name}: {d or f'dim {i}'}" for i, d in enumerate(tensor.shape) if not isinstance(d, int)]


KEEPS_SCALE = frozenset({"Concat", "Flatten", "MaxPool", "Reshape", "Resize", "Slice", "Squeeze", "Transpose"})
SCALED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear"})


@fact
def unscaled(model: Model) -> tuple[str, ...]:
    """Convolutions and matrix products that read no dequantised tensor, in a model that quantises."""
    return tuple(_unscaled(model.graph))


def _unscaled(graph: Graph) -> Iterator[str]:
    if not any(node.op in QUANTISING for node in graph.nodes):
        return
    for node in graph.nodes:
        source = node.inputs[0].producer if node.op in SCALED else None
        while source is not None and source.op in KEEPS_SCALE:
            source = source.inputs[0].producer
        if node.op in SCALED and (source is None or source.op != "DequantizeLinear"):
            yield node.name


@fact
def parted(model: Model) -> tuple[str, ...]:
    """QuantizeLinear nodes with something computed between them and the first DequantizeLinear that reads them."""
    return tuple(node.name for node, _ in parted_pairs(model.graph))


def parted_pairs(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """QuantizeLinear nodes and the first DequantizeLinear that reads each, where the file has a node in between.

    What is made of constants alone, and an Identity, does not count: it is gone before.
    """
    if not any(node.op == "QuantizeLinear" for node in graph.nodes):
        return
    known: set[Tensor] = set()
    waiting: dict[Node, bool] = {}
    for node in graph.nodes:
        source = node.inputs[0].producer if node.op == "DequantizeLinear" else None
        if source is not None and waiting.pop(source, False):
            yield source, node
        if all(tensor in known or isinstance(tensor, Constant) or tensor.is_empty() for tensor in node.inputs):
            known.update(node.outputs)
        elif node.op != "Identity":
            waiting = dict.fromkeys(waiting, True)
        if node.op == "QuantizeLinear" and any(reader.op == "DequantizeLinear" for reader in node.outputs[0].outputs):
            waiting[node] = False
