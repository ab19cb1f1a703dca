"""A model's own noise: what one ulp on every float weight does to its outputs.

The direction of each weight's step is drawn from the seed and the weight's name. Zeros stay (structure, and
denormals are slow), so do values whose step would not be finite, types narrower than 16 bits (their ulp is a
quantisation step), and constants that decide shapes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from surgery.drift.metrics import Array
from surgery.ir.graph import Constant
from surgery.ir.session import Perturb

if TYPE_CHECKING:
    from surgery.ir.model import Model

_BITS: dict[np.dtype[Any], type[np.signedinteger[Any]]] = {
    np.dtype(np.float16): np.int16,
    np.dtype(ml_dtypes.bfloat16): np.int16,
    np.dtype(np.float32): np.int32,
    np.dtype(np.float64): np.int64,
}
_SHAPING = {"Resize": range(1, 4), "Upsample": range(1, 2), "Range": range(3), "Dropout": range(1, 2)}
"""Inputs that decide shapes or modes, by operator."""


def one_ulp(model: Model, seed: int = 0) -> Perturb:
    """The perturbation of ``model``'s weights, for :func:`~surgery.ir.session.open_session`."""
    fixed = shaping_constants(model)

    def perturb(name: str, array: Array) -> Array:
        return array if name in fixed else nudge(array, [seed, zlib.crc32(name.encode())])

    return perturb


def shaping_constants(model: Model) -> frozenset[str]:
    """Names of the constants that decide shapes: scales of a Resize, limits of a Range."""
    inputs = ((t, i) for n in model.nodes() for i, t in enumerate(n.inputs) if i in _SHAPING.get(n.op, ()))
    return frozenset(t.name for t, _ in inputs if isinstance(t, Constant))


def nudge(array: Array, seed: int | list[int]) -> Array:
    """``array`` with each finite non-zero element moved to a neighbour; other dtypes come back as they are.

    Magnitude and bit pattern of a float grow together, so a step of one in the pattern is one ulp.
    """
    bits = _BITS.get(array.dtype)
    if bits is None or not array.size:
        return array
    count = array.size
    drawn = np.frombuffer(np.random.default_rng(seed).bytes(-(-count // 8)), np.uint8)
    steps = np.unpackbits(drawn, count=count).reshape(array.shape).astype(bits) * bits(2) - bits(1)
    old = np.ascontiguousarray(array).reshape(array.shape)
    new = (old.view(bits) + steps).view(old.dtype)
    return np.where(np.isfinite(new) & np.isfinite(old) & (old != 0), new, old)
