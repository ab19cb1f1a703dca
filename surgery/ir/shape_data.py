"""What is known of small integer tensors that are computed from shapes, element by element.

``Shape`` of a value with one symbolic dim is not constant, but a ``Gather`` or ``Slice`` that takes its static dims is.
Elements are Python integers (0 and 1 for booleans), None where only a run will tell.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, TypeAlias

import numpy as np

from surgery.ir import ops
from surgery.ir.graph import Constant, Node, Tensor, Value

LIMIT = 64
"""Larger tensors are no shapes."""
Elements: TypeAlias = "np.ndarray[Any, Any]"
"""An array of dtype object."""
Data: TypeAlias = "Mapping[Value, Elements]"
Reader: TypeAlias = "Callable[[Node, Data], Elements | None]"


def shape_data(node: Node, data: Data) -> Elements | None:
    """What is known of the output of ``node``, given ``data`` on the values before it; None for nothing."""
    read = _READERS.get(node.op)
    if read is None or not node.is_onnx or not node.inputs:
        return None
    try:
        found = read(node, data)
    except (ValueError, IndexError):  # operands that do not fit: running the model will say so
        return None
    return found if found is not None and found.size <= LIMIT and _fits(found, node.outputs[0]) else None


def is_known(elements: Elements) -> bool:
    """Whether no element is open."""
    return all(item is not None for item in elements.flat)


def in_loop(node: Node) -> bool:
    """Whether ``node`` is computed once per iteration: what a body carries may change its shape."""
    owner = node.graph.owner if node.graph else None
    while owner is not None and owner.op == "If":
        owner = owner.graph.owner if owner.graph else None
    return owner is not None


def _fits(found: Elements, value: Value) -> bool:
    """Whether the elements can be held by the dtype of ``value``."""
    if value.dtype is None or value.dtype.kind not in "biu":
        return False
    low, high = (0, 1) if value.dtype.kind == "b" else (np.iinfo(value.dtype).min, np.iinfo(value.dtype).max)
    return all(low <= item <= high for item in found.flat if item is not None)


def _operand(tensor: Tensor | None, data: Data) -> Elements | None:
    if isinstance(tensor, Value):
        return data.get(tensor)
    if not isinstance(tensor, Constant) or tensor.dtype.kind not in "biu" or tensor.weight.missing:
        return None
    return tensor.values.astype(object) if prod(tensor.shape) <= LIMIT else None


def _indices(tensor: Tensor | None, data: Data) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    found = _operand(tensor, data)
    return found.astype(np.int64) if found is not None and is_known(found) else None


def _elements(value: object) -> Elements:
    return np.array(value, dtype=object)


def _shape(node: Node, _: Data) -> Elements | None:
    tensor = node.inputs[0]
    if tensor.shape is None or (in_loop(node) and isinstance(tensor, Value)):
        return None
    window = slice(node.attrs.get("start", 0), node.attrs.get("end"))
    return _elements([d if isinstance(d, int) else None for d in tensor.shape[window]])


def _size(node: Node, _: Data) -> Elements | None:
    shape = None if in_loop(node) else ops.static_shape(node.inputs[0])
    return None if shape is None else _elements(prod(shape))


def _same(node: Node, data: Data) -> Elements | None:
    return _operand(node.inputs[0], data)


def _reshaped(node: Node, data: Data) -> Elements | None:
    source, shape = _operand(node.inputs[0], data), ops.static_shape(node.outputs[0])
    return None if source is None or shape is None else source.reshape(shape)


def _transposed(node: Node, data: Data) -> Elements | None:
    source, perm = _operand(node.inputs[0], data), ops.permutation(node)
    return None if source is None or perm is None else source.transpose(perm)


def _gather(node: Node, data: Data) -> Elements | None:
    source, indices = _operand(node.input(0), data), _indices(node.input(1), data)
    if source is None or indices is None:
        return None
    return _elements(source.take(indices, axis=node.attrs.get("axis", 0)))


def _slice(node: Node, data: Data) -> Elements | None:
    source, axes = _operand(node.input(0), data), ops.axes(node)
    starts, ends = ops.ints(node, "starts", 1), ops.ints(node, "ends", 2)
    steps = ops.ints(node, "steps", 4)
    if source is None or starts is None or ends is None or (steps is None and node.input(4) is not None):
        return None
    if axes is None and node.input(3) is not None:
        return None
    window = [slice(None)] * source.ndim
    for axis, start, end, step in zip(
        axes or range(len(starts)), starts, ends, steps or [1] * len(starts), strict=True
    ):
        window[axis] = slice(start, end, step)
    return source[tuple(window)]


def _concat(node: Node, data: Data) -> Elements | None:
    parts = [p for t in node.inputs if (p := _operand(t, data)) is not None]
    return np.concatenate(parts, axis=node.attrs["axis"]) if len(parts) == len(node.inputs) else None


def _filled(node: Node, data: Data) -> Elements | None:
    shape, fill = _indices(node.inputs[0], data), _operand(node.attrs.get("value"), data)
    if shape is None or fill is None or not 0 <= prod(shape.tolist()) <= LIMIT:
        return None
    return np.full(shape.tolist(), fill.item(), dtype=object)


def _elementwise(compute: Callable[..., int | None]) -> Reader:
    """The reader of an operator that computes element by element and broadcasts."""

    def element(*operands: int | None) -> int | None:
        return None if None in operands else compute(*operands)

    def read(node: Node, data: Data) -> Elements | None:
        parts = [p for t in node.inputs if (p := _operand(t, data)) is not None]
        if len(parts) < len(node.inputs):
            return None
        return _elements(np.frompyfunc(element, len(parts), 1)(*parts))

    return read


def _divide(a: int, b: int) -> int | None:
    """The quotient, cut off as in C."""
    return None if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _modulo(node: Node, data: Data) -> Elements | None:
    """With the sign of the divisor, as Python's; the other kind is left to running."""
    return None if node.attrs.get("fmod", 0) else _remainder(node, data)


_remainder = _elementwise(lambda a, b: a % b if b else None)

_READERS: dict[str, Reader] = {
    "Shape": _shape,
    "Size": _size,
    "Cast": _same,
    "Identity": _same,
    "Squeeze": _reshaped,
    "Unsqueeze": _reshaped,
    "Reshape": _reshaped,
    "Transpose": _transposed,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Add": _elementwise(operator.add),
    "Sub": _elementwise(operator.sub),
    "Mul": _elementwise(operator.mul),
    "Div": _elementwise(_divide),
    "Mod": _modulo,
    "Neg": _elementwise(operator.neg),
    "Equal": _elementwise(lambda a, b: int(a == b)),
    "Where": _elementwise(lambda chosen, a, b: a if chosen else b),
}
