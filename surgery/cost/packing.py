"""Weights that the compiler packs, so that fewer bytes of them are loaded.

Which are packed was found by compiling layers of some sizes with weights of many distributions
(scripts/weight_choices.py, data/efficiency/weights.csv): three eighths of the bytes where a fifth of the int8 values or
more are zero, seven eighths where they have an entropy of less than 6.7 bits, as most trained weights have. Those of a
depthwise convolution stay as they are.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from surgery.ir import ops
from surgery.ir.graph import Constant, Node, Tensor
from surgery.ir.weights import Weight

ZEROS, ENTROPY, LARGE = 0.2, 6.72, 0.1
"""The share of zeros from which on weights are sparse; the bits per value up to which they are narrow, and the share of
values beyond half the scale."""
SPARSE, NARROW = 3 / 8, 7 / 8
"""What is left of the bytes of each."""
_ROWS, _VALUES = 8, 4096
"""Output channels that are looked at, and values of them."""
_LEAST = float(np.finfo(np.float32).eps)
"""The least scale that the toolchain quantises weights with."""


class Values(NamedTuple):
    """What a sample of int8 weights is like: shares of zeros and of large values, and bits of entropy per value."""

    zeros: float
    large: float
    entropy: float

    @property
    def share(self) -> float:
        """What is left of the bytes once they are packed."""
        if self.zeros >= ZEROS:
            return SPARSE
        return NARROW if self.entropy < ENTROPY and self.large < LARGE else 1.0


_told: WeakKeyDictionary[Weight, dict[int, Values]] = WeakKeyDictionary()


def share(node: Node, weight: Tensor) -> float:
    """The share of its bytes that a packed weight loads; 1 where its values are not at hand."""
    if not isinstance(weight, Constant) or weight.weight.missing or weight.dtype != np.float32:
        return 1.0
    axis = ops.output_axis(node, weight)
    if axis is None or weight.rank < 2:
        return 1.0
    told = _told.setdefault(weight.weight, {})
    if axis not in told:
        told[axis] = _looked_at(weight, axis)
    return told[axis].share


def _looked_at(weight: Constant, axis: int) -> Values:
    """What a sample is like; where that may be sparse, the zeros of the whole layer, which the compiler counts."""
    count = weight.shape[axis]
    some = _values(_rows(weight, axis, np.linspace(0, count - 1, min(_ROWS, count)).astype(int)))
    if some.zeros < ZEROS / 2:
        return some
    rows = np.abs(_rows(weight, axis, np.arange(count)))
    return some._replace(zeros=float((rows < _scale(rows) / 2).mean()))


def _rows(weight: Constant, axis: int, chosen: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The weights of the chosen output channels, a row each."""
    return np.moveaxis(weight.values.take(chosen, axis), axis, 0).reshape(len(chosen), -1)


def _scale(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What a step of int8 is in each row."""
    return np.asarray(np.maximum(np.abs(rows).max(axis=1, keepdims=True) / 127, _LEAST))


def _values(rows: np.ndarray[Any, Any]) -> Values:
    scale = _scale(rows)
    some = rows[:, :: -(-rows.size // _VALUES)]
    count = np.bincount((np.rint(some / scale) + 127).astype(int).ravel(), minlength=255)
    share = count / count.sum()
    kinds = share[share > 0]
    few = (len(kinds) - 1) / (2 * count.sum() * np.log(2))  # what so few values are short of
    large = share[:64].sum() + share[-64:].sum()
    return Values(float(share[127]), float(large), float(few - (kinds * np.log2(kinds)).sum()))
