"""Whether generated code computes what the graph it was printed from does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surgery.drift.metrics import Array
from surgery.host.program import Program

ROUNDING = 1e-4
"""Largest difference over the range of a channel (axis 1 at rank 3 and more, else the whole)."""
LEAST_RANGE = 1e-2
"""Ranges below count as this much: onnxruntime's own Sigmoid is off by 1e-7 where it saturates."""
JUMPS = frozenset(
    {"ArgMax", "ArgMin", "Cast", "Ceil", "Equal", "Floor", "Greater", "Less", "QuantizeLinear", "Round", "TopK"}
)
"""Operators by which a rounding error becomes a step, or another order of equals."""
STEPPING = 0.01
"""Share of elements that may differ where there is one of :data:`JUMPS`."""


def difference(program: Program, known: Mapping[str, Array], found: Mapping[str, Array]) -> str:
    """What differs beyond rounding, in one sentence; "" for nothing. What only moves data has to be bit-identical."""
    jumps = any(step.node.op in JUMPS for step in program.steps)
    for name, value in known.items():
        other = found[name]
        if (value.dtype, value.shape) != (other.dtype, other.shape):
            return f"{name!r} is {other.dtype} {other.shape}, not {value.dtype} {value.shape}"
        apart = _apart(value, other, exact=program.moves)
        if apart.mean() > (STEPPING if jumps and not program.moves else 0.0):
            return f"{int(apart.sum())} of {value.size} elements of {name!r} differ"
    return ""


def _apart(value: Array, other: Array, *, exact: bool) -> Array:
    """Which elements differ; NaN equals NaN."""
    if exact or value.dtype.kind != "f":
        same: Array = (value == other) | ((value != value) & (other != other))
        return ~same
    axes = tuple(axis for axis in range(value.ndim) if axis != 1) if value.ndim > len("NC") else None
    held = np.where(np.isfinite(value), value, 0)
    scale = np.maximum(held.max(axes, keepdims=True) - held.min(axes, keepdims=True), LEAST_RANGE)
    near: Array = np.isclose(other, value, rtol=0, atol=ROUNDING * scale, equal_nan=True)
    return ~near
