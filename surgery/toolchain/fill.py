"""Weights for a model whose data is absent: placement and speed do not depend on their values."""

from __future__ import annotations

import zlib

import numpy as np

from surgery.ir import Model
from surgery.ir.graph import Constant
from surgery.ir.weights import Weight

SPREAD = 0.05
"""Standard deviation of made-up weights."""


def with_weights(model: Model) -> Model:
    """``model`` itself when all its weights are there, else a copy with seeded ones (integers: zeros)."""
    missing = set(model.missing_weights())
    if not missing:
        return model
    twin = model.copy()
    for name, constant in twin.heavy().items():
        if name in missing:
            constant.weight = _made_up(name, constant)
    return twin


def _made_up(name: str, constant: Constant) -> Weight:
    dtype, shape = constant.weight.dtype, constant.weight.shape
    if not np.issubdtype(dtype, np.floating):
        return Weight.of(np.zeros(shape, dtype))
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return Weight.of((rng.standard_normal(shape, np.float32) * SPREAD).astype(dtype))
