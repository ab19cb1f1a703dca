"""Calibration: what the layers of a model read and compute on the user's samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from passes.clamp.layer import Layer
from surgery.ir import Model
from surgery.ir.session import SessionError, open_session
from surgery.rewrite import Mismatch

Array: TypeAlias = "np.ndarray[Any, Any]"
Samples: TypeAlias = "Sequence[Mapping[str, Array]]"


def values(model: Model, names: Sequence[str], samples: Samples) -> Iterator[dict[str, Array]]:
    """The values ``names`` of ``model``, sample by sample.

    Raises Mismatch when the samples are not of this model's inputs, or it cannot be run on them.
    """
    try:
        session = open_session(model, outputs=list(dict.fromkeys(names)))
        for sample in samples:
            yield session.run(sample)
    except SessionError as error:
        raise Mismatch(f"the model cannot be run on the samples to measure its channels: {error.what}") from error


def channels_last(array: Array, axis: int) -> Array:
    """``array`` [..., channels, ...] as [places, channels]."""
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


def energies(layer: Layer, power: float = 2) -> tuple[Array, ...]:
    """For each axis of channels of a layer's weight (inputs, then outputs) the sums of ``|w|**power`` per index."""
    weight = np.abs(layer.weight.values.astype(np.float64)) ** power
    others = (tuple(a for a in range(weight.ndim) if a != axis) for axis in layer.weight_axes)
    return tuple(weight.sum(axis=other) for other in others)
