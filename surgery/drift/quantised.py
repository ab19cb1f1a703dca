"""A model with the integers of the BPU, simulated: values and weights rounded to them, kernels in float.

Symmetric, zero point 0, as the toolchain has it: a value has one scale, its threshold over 127 (int8) or 32767 (int16);
weights have one per output channel. Products of integers are exact in float up to 2^24, beyond which a kernel in
float rounds where the chip does not; biases, which have 32 bits there, stay float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surgery.drift.metrics import Array
from surgery.ir.edit import Editor
from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.ir.weights import Weight

if TYPE_CHECKING:
    from surgery.ir.model import Model

LARGEST = {8: 127, 16: 32767}
"""The largest integer of so many bits."""
DOMAIN = "com.microsoft"
"""Of onnxruntime's own QuantizeLinear, which takes 16 bits and any opset."""


@dataclass(frozen=True)
class Grid:
    """What is rounded to integers.

    Attributes:
        values: bits by name of the value.
        weights: axis of the output channels by name of the constant; None for one scale.
    """

    values: Mapping[str, int]
    weights: Mapping[str, int | None]


def quantised(model: Model, grid: Grid, thresholds: Mapping[str, float]) -> Model:
    """A copy of ``model`` whose values and weights on the grid are rounded to it; they keep their names.

    Values of threshold 0, which are zero on all samples, stay as they are.
    """
    made, editor = model.copy(), Editor()
    known = {value.name: value for value in _values(made.graph)}
    for name, bits in grid.values.items():
        if thresholds[name]:
            _round(known[name], bits, thresholds[name] / LARGEST[bits], made.graph, editor)
    editor.settle()
    for constant in {t.name: t for node in made.graph.nodes for t in node.inputs if t.name in grid.weights}.values():
        assert isinstance(constant, Constant)
        constant.weight = Weight.of(rounded(constant.values, grid.weights[constant.name]))
    if DOMAIN not in made.opsets:
        made.header.opset_import.add(domain=DOMAIN, version=1)
    return made


def rounded(weight: Array, axis: int | None) -> Array:
    """A float weight on the grid of int8, with one scale per index of ``axis``, or one.

    >>> rounded(np.array([[127.0, 63.4], [1.27, 0.634]]), 0)
    array([[127.  ,  63.  ],
           [  1.27,   0.63]])
    """
    others = tuple(i for i in range(weight.ndim) if i != axis) if axis is not None else None
    largest = np.abs(weight).max(axis=others, keepdims=True, initial=0.0)
    scale = np.where(largest > 0, largest / LARGEST[8], 1.0).astype(weight.dtype)
    return np.asarray(np.clip(np.rint(weight / scale), -LARGEST[8], LARGEST[8]) * scale, dtype=weight.dtype)


def _values(graph: Graph) -> list[Value]:
    return [t for t in (*graph.inputs, *(v for node in graph.nodes for v in node.outputs)) if isinstance(t, Value)]


def _round(value: Value, bits: int, scale: float, graph: Graph, editor: Editor) -> None:
    """Put a pair behind what makes ``value``; behind an input its readers are sent to the pair's output."""
    exact = Value(f"{value.name}/exact", value.dtype, value.shape)
    maker, readers = value.producer, list(value.consumers)
    if maker is None:
        exact, value = value, Value(f"{value.name}/rounded", value.dtype, value.shape)
    else:
        editor.set_outputs(maker, [exact if made is value else made for made in maker.outputs])
    kind = np.dtype(f"int{bits}")
    integers = Value(f"{value.name}/int{bits}", kind, value.shape)
    scales: list[Tensor] = [
        Constant(f"{value.name}/scale", np.array(scale, np.float32)),
        Constant(f"{value.name}/zero", np.zeros((), kind)),
    ]
    position = (-1.0,) if maker is None else maker.position
    for op, read, written in (("QuantizeLinear", exact, integers), ("DequantizeLinear", integers, value)):
        editor.insert(Node(op, f"{value.name}/{op}", {}, [read, *scales], [written], DOMAIN), graph, position)
    if maker is None:
        for reader in readers:
            editor.set_inputs(reader, [value if t is exact else t for t in reader.inputs])
