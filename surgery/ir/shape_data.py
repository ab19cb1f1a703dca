"""What is known of small integer tensors that are computed from shapes, element by element.

``Shape`` of a value with one symbolic dim is not constant, but a ``Gather`` or ``Slice`` that takes its static dims is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from surgery.ir import ops
from surgery.ir.graph import Constant, Node, Tensor, Value

LIMIT = 64
"""Longer tensors are no shapes."""


@dataclass(frozen=True)
class Ints:
    """The elements of an integer tensor of rank 0 or 1; None for those known at run time only.

    >>> Ints((2, None), 1).is_known
    False
    """

    items: tuple[int | None, ...]
    rank: int

    @property
    def is_known(self) -> bool:
        """Whether every element is known."""
        return None not in self.items

    def array(self, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """The tensor, all of whose elements are known."""
        return np.array(self.items, dtype).reshape((len(self.items),) * self.rank)


Data: TypeAlias = "Mapping[Value, Ints]"


def shape_data(node: Node, data: Data) -> Ints | None:
    """What is known of the output of ``node``, given ``data`` on the values before it; None for nothing."""
    read = _READERS.get(node.op)
    if read is None or not node.is_onnx or not node.inputs:
        return None
    found = read(node, data)
    return found if found is not None and len(found.items) <= LIMIT and _fits(found, node.outputs[0]) else None


def _fits(found: Ints, value: Value) -> bool:
    """Whether the elements can be held by the dtype of ``value``."""
    if value.dtype is None or value.dtype.kind not in "iu":
        return False
    limits = np.iinfo(value.dtype)
    return all(limits.min <= i <= limits.max for i in found.items if i is not None)


def _operand(tensor: Tensor | None, data: Data) -> Ints | None:
    if isinstance(tensor, Value):
        return data.get(tensor)
    if not isinstance(tensor, Constant) or tensor.dtype.kind not in "iu" or tensor.weight.missing:
        return None
    if tensor.rank > 1 or prod(tensor.shape) > LIMIT:
        return None
    return Ints(tuple(int(v) for v in tensor.values.reshape(-1)), tensor.rank)


def _same(node: Node, data: Data) -> Ints | None:
    return _operand(node.inputs[0], data)


def _shape(node: Node, _: Data) -> Ints | None:
    tensor = node.inputs[0]
    if tensor.shape is None or (_in_loop(node) and isinstance(tensor, Value)):
        return None
    window = slice(node.attrs.get("start", 0), node.attrs.get("end"))
    return Ints(tuple(d if isinstance(d, int) else None for d in tensor.shape[window]), 1)


def _in_loop(node: Node) -> bool:
    """Whether it is computed once per iteration: what a body carries may change its shape."""
    owner = node.graph.owner if node.graph else None
    while owner is not None and owner.op == "If":
        owner = owner.graph.owner if owner.graph else None
    return owner is not None


def _size(node: Node, _: Data) -> Ints | None:
    shape = None if _in_loop(node) else ops.static_shape(node.inputs[0])
    return None if shape is None else Ints((prod(shape),), 0)


def _gather(node: Node, data: Data) -> Ints | None:
    source, indices = _operand(node.input(0), data), _operand(node.input(1), data)
    if source is None or source.rank != 1 or indices is None or node.attrs.get("axis", 0) not in (0, -1):
        return None
    size, picked = len(source.items), indices.items
    if not all(i is not None and -size <= i < size for i in picked):
        return None
    return Ints(tuple(source.items[i] for i in picked if i is not None), indices.rank)


def _slice(node: Node, data: Data) -> Ints | None:
    source, axes = _operand(node.input(0), data), ops.ints(node, "axes", 3)
    bounds = [ops.ints(node, "starts", 1), ops.ints(node, "ends", 2)]
    steps = [1] if node.input(4) is None else ops.ints(node, "", 4)
    if source is None or source.rank != 1 or axes not in (None, [0], [-1]):
        return None
    if any(b is None or len(b) != 1 for b in (*bounds, steps)) or (node.input(3) is not None and axes is None):
        return None
    start, end, step = (b[0] for b in (*bounds, steps) if b is not None)
    return Ints(source.items[start:end:step], 1)


def _squeeze(node: Node, data: Data) -> Ints | None:
    source = _operand(node.inputs[0], data)
    return Ints(source.items, 0) if source is not None and len(source.items) == 1 else None


def _unsqueeze(node: Node, data: Data) -> Ints | None:
    source = _operand(node.inputs[0], data)
    return Ints(source.items, 1) if source is not None and source.rank == 0 else None


def _concat(node: Node, data: Data) -> Ints | None:
    parts: Sequence[Ints | None] = [_operand(t, data) for t in node.inputs]
    if any(p is None or p.rank != 1 for p in parts):
        return None
    return Ints(tuple(i for p in parts if p is not None for i in p.items), 1)


_READERS: dict[str, Callable[[Node, Data], Ints | None]] = {
    "Shape": _shape,
    "Size": _size,
    "Gather": _gather,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Cast": _same,
    "Identity": _same,
}
