"""Graphs, nodes and values: onnx-graphsurgeon's classes with their edges cured.

The classes here are subclasses of graphsurgeon's, so a :class:`Graph` can be handed to code written for it.
What differs: identity comparison and hashing (graphsurgeon compares by name and structure), constants whose
bytes stay in the weight store, documentation and metadata that survive, and an owner for every node.
This is the only module that imports onnx_graphsurgeon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx_graphsurgeon as gs
from onnx_graphsurgeon.util.misc import SynchronizedList

from surgery.ir.weights import Weight

if TYPE_CHECKING:
    import onnx

Dim: TypeAlias = "int | str | None"
Shape: TypeAlias = "tuple[Dim, ...]"
DType: TypeAlias = "np.dtype[Any]"


_UNREAD = np.empty(0)
_NUMBERS = frozenset({int})


class _Linked(SynchronizedList):
    """A list of graphsurgeon without a dictionary of its own for two fields."""

    __slots__ = ("field_name", "parent_obj")


def _links(owner: object, field: str, things: Iterable[object] = ()) -> list[Any]:
    """A list of graphsurgeon that keeps ``field`` of its elements in step, filled without telling them.

    Graphs are made of these by the ten thousands: the detours of its constructor and of ``__setattr__`` were two
    thirds of the time of an import.
    """
    links: _Linked = _Linked.__new__(_Linked)
    links.parent_obj, links.field_name = owner, field
    if things:
        list.extend(links, things)
    return links


class _Links:
    """What values and constants share: identity, producer and consumers."""

    name: str
    inputs: list[Node]
    outputs: list[Node]

    doc_string: str
    metadata: dict[str, str]

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def _begin(self, name: str) -> None:
        fields = self.__dict__
        fields["name"], fields["doc_string"], fields["metadata"] = name, "", {}
        fields["inputs"], fields["outputs"] = _links(self, "outputs"), _links(self, "inputs")

    @property
    def producer(self) -> Node | None:
        """The node that computes this tensor, None for graph inputs and constants."""
        return self.inputs[0] if self.inputs else None

    @property
    def consumers(self) -> list[Node]:
        """The nodes that read this tensor, each once, in the order they were linked."""
        return list(dict.fromkeys(self.outputs))

    def is_empty(self) -> bool:
        """Whether this stands for an omitted optional input or output."""
        return not self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.dtype}, {self.shape})"  # type: ignore[attr-defined]


class Value(_Links, gs.Variable):
    """A tensor known at run time only.

    ``dtype`` is a numpy dtype (ml_dtypes for bfloat16, float8 and 4-bit types) or None when unknown; ``shape``
    holds ints, names of symbolic dims, and None for a dim nobody named; it is None when the rank is unknown.
    ``type_proto`` keeps the type of what is no dense tensor (sequence, optional, map, sparse) or has denotations.
    """

    dtype: DType | None
    shape: Shape | None

    def __init__(self, name: str, dtype: DType | None = None, shape: Sequence[Dim] | None = None) -> None:
        self._begin(name)
        fields = self.__dict__
        fields["dtype"], fields["shape"] = dtype, None if shape is None else tuple(shape)
        fields["type"], fields["type_proto"] = "tensor_type", None

    @staticmethod
    def empty() -> Value:
        """A placeholder for an omitted optional input or output."""
        return Value("")

    @property
    def rank(self) -> int | None:
        """Number of dims, None when unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dim is a known integer."""
        return self.shape is not None and _NUMBERS.issuperset(map(type, self.shape))


class Constant(_Links, gs.Constant):
    """A tensor whose bytes are known, held by a :class:`~surgery.ir.weights.Weight` outside any protobuf."""

    def __init__(self, name: str, weight: Weight | np.ndarray[Any, Any]) -> None:
        self._begin(name)
        fields = self.__dict__
        fields["weight"] = weight if isinstance(weight, Weight) else Weight.of(weight)
        fields["home"] = fields["data_location"] = fields["_export_dtype"] = None

    @property
    def _values(self) -> np.ndarray[Any, Any]:
        """What graphsurgeon's own code reads."""
        return self.weight.array()

    @_values.setter
    def _values(self, array: np.ndarray[Any, Any]) -> None:
        if array is not _UNREAD:
            self.weight = Weight.of(array)

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The array; a read-only view where the dtype allows one. Raises WeightsMissing without its data file."""
        return self.weight.array()

    @property
    def dtype(self) -> DType:
        """The numpy dtype of the elements."""
        return self.weight.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The dims."""
        return self.weight.shape

    @property
    def rank(self) -> int:
        """Number of dims."""
        return len(self.weight.shape)

    @property
    def is_static(self) -> bool:
        """Always true: a constant has its shape."""
        return True

    @property
    def nbytes(self) -> int:
        """Size of the stored bytes."""
        return self.weight.nbytes


Tensor: TypeAlias = "Value | Constant"


class Node(gs.Node):
    """One operator.

    ``attrs`` holds Python values (int, float, str, bytes, lists of them), a :class:`Constant` for a tensor, a
    :class:`Graph` for a body, and an ``onnx.AttributeProto`` for what has no such form (references, types).
    ``position`` orders nodes of one graph; ``graph`` is the graph that owns the node. ``named`` is false where the
    name is not of the file but was given at load.
    """

    op: str
    name: str
    domain: str
    attrs: dict[str, Any]
    inputs: list[Tensor]
    outputs: list[Value]
    named: bool

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        op: str,
        name: str = "",
        attrs: dict[str, Any] | None = None,
        inputs: Sequence[Tensor] = (),
        outputs: Sequence[Value] = (),
        domain: str = "",
    ) -> None:
        fields = self.__dict__
        fields["op"], fields["name"], fields["domain"] = op, name, domain
        fields["attrs"] = {} if attrs is None else attrs
        fields["inputs"], fields["outputs"] = _links(self, "outputs", inputs), _links(self, "inputs", outputs)
        fields["overload"], fields["doc_string"], fields["metadata"] = "", "", {}
        fields["position"], fields["graph"], fields["named"] = (), None, True
        for tensor in self.inputs:
            list.append(tensor.outputs, self)
        for value in self.outputs:
            list.append(value.inputs, self)

    def __repr__(self) -> str:
        return f"{self.op}({self.name!r})"

    @property
    def is_onnx(self) -> bool:
        """Whether the operator is of the default ONNX domain."""
        return self.domain in ("", "ai.onnx")

    def input(self, index: int) -> Tensor | None:
        """Input ``index``, None when absent or omitted."""
        if index >= len(self.inputs) or self.inputs[index].is_empty():
            return None
        return self.inputs[index]

    def bodies(self) -> Iterator[Graph]:
        """The graphs held by the attributes (If, Loop, Scan), in attribute order."""
        for value in self.attrs.values():
            if isinstance(value, Graph):
                yield value


class Graph(gs.Graph):
    """Nodes, inputs and outputs of the main graph, of a body, or of a model function.

    ``nodes`` is in topological order whenever no rewrite is under way. Values of an outer graph that a body
    reads are the same objects.
    """

    nodes: list[Node]
    inputs: list[Tensor]
    name: str
    _returns: dict[Tensor, list[Graph]] | None
    doc_string: str

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, name: str = "", *, owner: Node | None = None) -> None:
        self.owner = owner
        super().__init__(name=name)
        self.name = name
        self.metadata: dict[str, str] = {}
        self.annotations: list[onnx.TensorAnnotation] = []

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self.nodes)} nodes)"

    @property
    def outputs(self) -> list[Tensor]:
        """What the graph returns; assigned as a whole, never changed in place."""
        return self._outputs

    @outputs.setter
    def outputs(self, tensors: list[Tensor]) -> None:
        self._outputs = tensors
        self.forget_returns()

    def is_output(self, value: Tensor) -> bool:
        """Whether ``value`` is one of the outputs of this graph."""
        return value in self.outputs

    @property
    def root(self) -> Graph:
        """The main graph (or function) that this graph is part of."""
        graph = self
        while graph.owner is not None and graph.owner.graph is not None:
            graph = graph.owner.graph
        return graph

    def returned_by(self, value: Tensor) -> Sequence[Graph]:
        """The graphs among this one and its bodies that return ``value``; constant time once asked."""
        if self._returns is None:
            self._returns = {}
            for graph in self.walk(alive=True):
                for out in dict.fromkeys(graph.outputs):
                    self._returns.setdefault(out, []).append(graph)
        return self._returns.get(value, ())

    def forget_returns(self) -> None:
        """Let :meth:`returned_by` look again: outputs changed, or a node with bodies came or went."""
        self._returns = self.root._returns = None

    def walk(self, *, alive: bool = False) -> Iterator[Graph]:
        """This graph and every body below it, outer before inner.

        With ``alive``, without the bodies of nodes that left their graph and are not sorted out of it yet.
        """
        stack = [self]
        while stack:
            graph = stack.pop()
            yield graph
            for node in reversed(graph.nodes):
                attrs = node.attrs
                if attrs and Graph in map(type, attrs.values()) and (not alive or node.graph is graph):
                    stack.extend([value for value in attrs.values() if isinstance(value, Graph)])
