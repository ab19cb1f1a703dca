"""Which nodes can be replaced by what they compute, without the file growing beyond a bound.

:func:`fold` plans and evaluates one round; the caller replaces the outputs of :attr:`Folding.values` by constants
and may ask again, since constants make shapes known. Shapes that a round finds are assigned at once, so that one
walk follows a shape through any number of Reshapes. Never folded: custom
operators, control flow, random numbers, graph outputs, and whatever would expand quantised weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx.numpy_helper import from_array

from surgery.ir import ops
from surgery.ir.evaluate import Evaluator
from surgery.ir.graph import Constant, DType, Graph, Node, Shape, Tensor, Value
from surgery.ir.growth import Growth
from surgery.ir.infer import Setter, dims
from surgery.ir.infer_node import infer_node
from surgery.ir.shape_data import Elements, in_loop, is_known, shape_data

Array: TypeAlias = "np.ndarray[Any, Any]"
Barred: TypeAlias = "Callable[[Node], str | None]"

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout"}
)
DATA_DEPENDENT = frozenset({"Compress", "NonMaxSuppression", "NonZero", "StringSplit", "Unique"})
"""The shapes of their outputs follow from the data, and are of the order of their inputs."""
NARROW = frozenset({"int8", "uint8", "int4", "uint4", "int2", "uint2"})
QUANTISED_BYTES = 1024
"""A Cast of more narrow integers than this is taken for one of a quantised weight."""


@dataclass(frozen=True)
class Limits:
    """What bounds one round.

    Attributes:
        node_bytes: a node may compute at most so many bytes more than it reads.
        growth_bytes: what is stored may be at most so many bytes more than what is freed.
    """

    node_bytes: int
    growth_bytes: int


@dataclass
class Folding:
    """One round.

    Attributes:
        values: what to replace, with its content; every output of these nodes that is read is there.
        charges: by node, the bytes that storing its group adds (on the largest of the group).
        refusals: nodes that read constants only and are not folded, with the reason.
        uncomputable: those among them that onnxruntime refused.
        waiting: whether a further round may find more, once these values are constants.
    """

    values: dict[Value, Array] = field(default_factory=dict)
    charges: dict[Node, int] = field(default_factory=dict)
    refusals: dict[Node, str] = field(default_factory=dict)
    uncomputable: dict[Node, str] = field(default_factory=dict)
    waiting: bool = False

    @property
    def nodes(self) -> list[Node]:
        """The nodes that compute the values, each once, in topological order."""
        return list(dict.fromkeys(v.inputs[0] for v in self.values))


def fold(main: Graph, header: onnx.ModelProto, limits: Limits, barred: Barred, assign: Setter) -> Folding:
    """Plan one round over ``main`` and its bodies, and compute it.

    Args:
        header: IR version and opsets of the model.
        barred: why a node must not be folded; asked about nodes that could be.
        assign: called for values that are found to be static.
    """
    opset = next((o.version for o in header.opset_import if o.domain in ("", "ai.onnx")), 1)
    scan = _Scan(main, opset, limits.node_bytes, barred, assign)
    growth = Growth(scan.sizes, main, limits.growth_bytes)
    evaluator = Evaluator(header, scan.given)
    evaluator.run([n for n in scan.sizes if n in growth.kept and n.outputs[0] not in scan.given])
    refusals = {**scan.refusals, **growth.refusals, **evaluator.refusals}
    folding = Folding(charges=growth.charges, refusals=refusals, uncomputable=evaluator.refusals)
    for node in [n for n in scan.sizes if n in growth.kept]:
        read = [v for v in node.outputs if v.outputs]
        if any(r not in growth.kept for v in read for r in v.outputs) and all(v in evaluator.values for v in read):
            folding.values.update((v, evaluator.values[v]) for v in read)
    folding.waiting = scan.waiting or bool(evaluator.refusals)
    return folding


class _Scan:
    """One walk in topological order that finds the nodes whose outputs follow from constants.

    Attributes:
        sizes: those nodes, with the bytes of their outputs (0 where only a run will tell).
        given: outputs that follow from shapes, and need no run.
        refusals: nodes that read constants only and cannot be folded.
        waiting: whether anything may become known after this round.
    """

    def __init__(self, main: Graph, opset: int, node_bytes: int, barred: Barred, assign: Setter) -> None:
        self.main, self.opset, self.node_bytes, self.barred, self.assign = main, opset, node_bytes, barred, assign
        self._stated = set(main.outputs)
        self.sizes: dict[Node, int] = {}
        self.given: dict[Value, Array] = {}
        self.refusals: dict[Node, str] = {}
        self.waiting = False
        self._fixed: set[Value] = set()
        self._data: dict[Value, Elements] = {}
        for graph in main.walk():
            for node in graph.nodes:
                self._visit(node)

    def _visit(self, node: Node) -> None:
        self._sharpen(node)
        data = shape_data(node, self._data)
        if data is not None:
            self._data[node.outputs[0]] = data
        if data is not None and is_known(data):
            self._from_shapes(node, data)
        elif all(isinstance(t, Constant) or t.is_empty() or t in self._fixed for t in node.inputs):
            self._from_constants(node)
        elif node.op in ("Shape", "Size") and node.is_onnx:
            self.waiting = True
            self.refusals[node] = _unsized(node)

    def _sharpen(self, node: Node) -> None:
        """Infer outputs that become static now that the inputs are; what a loop carries may change its shape."""
        blurred = [v for v in node.outputs if not (v.is_static or v.is_empty() or v in self._stated)]
        if not blurred or not all(t.is_static or t.is_empty() for t in node.inputs) or in_loop(node):
            return
        arrays = {t: self._data[t] for t in node.inputs if isinstance(t, Value) and t in self._data}
        known = {t.name: from_array(d.astype(np.dtype(t.dtype))) for t, d in arrays.items() if is_known(d)}
        for value, (dtype, shape) in zip(node.outputs, infer_node(node, self.opset, known), strict=True):
            if value in blurred and _nbytes(dtype, shape) is not None:
                self.assign(value, dtype, shape)

    def _from_shapes(self, node: Node, data: Elements) -> None:
        value = node.outputs[0]
        array = data.astype(np.dtype(value.dtype))
        if value.outputs and self._take(node, array.nbytes, None):
            self.given[value] = array

    def _from_constants(self, node: Node) -> None:
        if not any(v.outputs for v in node.outputs) and not self._returned(node):
            return
        size = self._bytes(node)
        if size is not None or node.op in DATA_DEPENDENT:
            self._take(node, size or 0, _barrier(node) or self._too_big(node, size or 0))
        elif all(isinstance(t, Constant) or t.is_empty() for t in node.inputs):
            self.refusals[node] = _barrier(node) or "the size of its output is not known beforehand"
        else:
            self.waiting = True

    def _take(self, node: Node, size: int, reason: str | None) -> bool:
        """Fold ``node``, unless there is a reason not to; whether it is."""
        if self._returned(node):
            reason = "computes a graph output"
        reason = reason or self.barred(node)
        if reason is not None:
            self.refusals[node] = reason
            return False
        self.sizes[node] = size
        self._fixed.update(node.outputs)
        return True

    def _returned(self, node: Node) -> bool:
        return any(self.main.returned_by(v) for v in node.outputs)

    def _too_big(self, node: Node, size: int) -> str | None:
        read = sum(_nbytes(t.dtype, t.shape) or 0 for t in node.inputs)
        if size <= read + self.node_bytes:
            return None
        return f"would make {size} bytes of {read}, at most {self.node_bytes} more are allowed"

    def _bytes(self, node: Node) -> int | None:
        """Bytes of the outputs, where they can be told before running."""
        types: list[tuple[DType | None, Shape | None]] = [(v.dtype, v.shape) for v in node.outputs if v.outputs]
        if any(_nbytes(*t) is None for t in types):
            types = [t for t, v in zip(infer_node(node, self.opset), node.outputs, strict=True) if v.outputs]
        sizes = [_nbytes(*t) for t in types]
        return None if None in sizes else sum(s for s in sizes if s is not None)


def _nbytes(dtype: DType | None, shape: Shape | None) -> int | None:
    if dtype is None or shape is None or not all(isinstance(d, int) for d in shape):
        return None
    return int(prod(d for d in shape if isinstance(d, int))) * dtype.itemsize


def _unsized(node: Node) -> str:
    """Why a Shape or Size is not known."""
    tensor = node.inputs[0]
    if in_loop(node):
        return f"the sizes of {tensor.name!r} may differ from one iteration to the next"
    named = [str(d) for d in tensor.shape or () if isinstance(d, str)]
    which = f"its {', '.join(named)} must be a number" if named else "every dim must be known"
    return f"{tensor.name!r} has the shape {dims(tensor.shape)}, {which}"


def _barrier(node: Node) -> str | None:
    """Why ``node`` is never folded, whatever the bound."""
    if not node.is_onnx:
        return f"{node.domain}:{node.op} is a custom operator"
    if node.op in RANDOM:
        return f"{node.op} draws random numbers"
    if any(True for _ in node.bodies()):
        return "control flow is not run at load time"
    if any(v.outputs and (v.dtype is None or _is_opaque(v)) for v in node.outputs):
        return "its output is no tensor of a known type"
    if missing := next((t for t in _constants(node) if t.weight.missing), None):
        return f"the weights of {missing.name!r} are not there"
    return _expands(node)


def _is_opaque(value: Value) -> bool:
    return value.type_proto is not None and not value.type_proto.HasField("tensor_type")


def _constants(node: Node) -> Iterator[Constant]:
    return (t for t in node.inputs if isinstance(t, Constant))


def _expands(node: Node) -> str | None:
    """Whether ``node`` turns the narrow integers of a quantised weight into wider numbers."""
    source: Tensor | None = node.input(0)
    if node.op == "DequantizeLinear":
        return "would store a quantised weight dequantised"
    if node.op not in ("Cast", "CastLike") or source is None or source.dtype is None:
        return None
    wide = (node.outputs[0].dtype or source.dtype).itemsize > source.dtype.itemsize or source.dtype.itemsize == 1
    size = ops.static_shape(source)
    if source.dtype.name in NARROW and wide and (size is None or prod(size) > QUANTISED_BYTES):
        return f"would store {source.dtype} weights as {node.outputs[0].dtype}"
    return None
