"""Weights as numbers that arithmetic can be done with; large ones are not copied for it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


def widened(array: Array) -> Array:
    """Numbers of which the product with a float64 array is the exact one rounded to float64."""
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def is_finite(array: Array) -> bool:
    """Whether no number is infinite or none at all."""
    return bool(np.isfinite(widened(array)).all())
