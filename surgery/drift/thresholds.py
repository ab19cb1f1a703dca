"""How far the values of a model reach, for the scales of its integers: calibration."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from surgery.drift.metrics import Array
from surgery.drift.taps import BATCH_BYTES, plan
from surgery.errors import InputError
from surgery.ir.session import open_session

if TYPE_CHECKING:
    from surgery.ir.graph import Value
    from surgery.ir.model import Model

PERCENTILE = 99.995
"""Percent of the values of a sample that ``percentile`` keeps, as the vendor's search tries it."""
BINS, LEVELS = 2048, 128
"""Of the histogram that ``kl`` cuts, and of its cut form."""


class Method(StrEnum):
    """What the threshold of a value is: its largest magnitude, one that few exceed, or that of least divergence."""

    MAX = "max"
    PERCENTILE = "percentile"
    KL = "kl"


def thresholds(
    model: Model,
    values: Sequence[Value],
    samples: Sequence[Mapping[str, Array]],
    method: Method = Method.MAX,
    *,
    batch_bytes: int = BATCH_BYTES,
) -> dict[str, float]:
    """The threshold of each of ``values``, which are float, by name, over all samples.

    ``kl`` is onnxruntime's (the histogram method of TensorRT); a constant value keeps its magnitude under every method.

    Raises:
        InputError: a value is not finite on one of the samples.
        SessionError: onnxruntime cannot run the model.
    """
    found = {v.name: _fed(v.name, samples, method) for v in values if v.producer is None}
    inner = [value for value in values if value.producer is not None]
    for batch in plan(inner, batch_bytes // max(1, len(samples))):
        session = open_session(model, outputs=[value.name for value in batch])
        runs = [session.run(sample) for sample in samples]
        found |= {value.name: _threshold(value.name, [run[value.name] for run in runs], method) for value in batch}
    return found


def _fed(name: str, samples: Sequence[Mapping[str, Array]], method: Method) -> float:
    return _threshold(name, [sample[name] for sample in samples], method)


def _threshold(name: str, arrays: Sequence[Array], method: Method) -> float:
    sizes = [np.abs(array.ravel()).astype(np.float32) for array in arrays if array.size]
    largest = max((float(size.max()) for size in sizes), default=0.0)
    if not np.isfinite(largest):
        raise InputError(f"{name!r} is not finite on the samples, no scale can be made for it")
    if method is Method.PERCENTILE and largest:
        return max(float(np.percentile(size, PERCENTILE)) for size in sizes) or largest
    if method is Method.KL and largest:
        return _least_divergence(arrays) or largest
    return largest


def _least_divergence(arrays: Sequence[Array]) -> float:
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector = HistogramCollector("entropy", True, BINS, LEVELS, None, None)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        collector.collect({"": [np.ascontiguousarray(array) for array in arrays]})
        low, high = collector.compute_collection_result()[""][:2]
    return float(max(abs(low), abs(high)))
