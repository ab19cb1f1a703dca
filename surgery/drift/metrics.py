"""Distances between what two models compute, per channel, in float64, in bounded memory.

A channel is an index of axis 1 of a value of rank 3 or more; a value of lower rank is one channel. The scale of a
channel is its range in the reference (max - min over all samples), at least :data:`SMALLEST_SCALE`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Outputs: TypeAlias = "Mapping[str, Array]"

SMALLEST_SCALE = 1e-6
"""The least range a channel's differences are measured against."""
_BLOCK = 1 << 20  # elements converted to float64 at a time


@dataclass(frozen=True)
class OutputDrift:
    """How far one value of the candidate is from the reference, over all samples.

    Attributes:
        name: the value.
        max_abs: largest absolute difference; inf where one side is not finite and the other differs.
        rel_to_range: ``max_abs`` over the range of the whole value.
        cosine: of the whole value, every sample included; NaN when non-finite elements differ.
        sqnr_db: signal over error power in dB; inf without any error.
        bit_identical: same dtype, shape and values, NaN equal to NaN.
        mismatches: elements that differ.
        elements: elements compared.
        nonfinite: elements of the reference that are NaN or infinite.
        worst_channel: index of the channel with the largest difference over its own scale.
        worst_rel: that difference over that scale.
        worst_cosine: the smallest cosine of a channel.
        problem: why the values cannot be compared (dtype, shape, absence); the numbers are then meaningless.
    """

    name: str
    max_abs: float
    rel_to_range: float
    cosine: float
    sqnr_db: float
    bit_identical: bool
    mismatches: int
    elements: int
    nonfinite: int
    worst_channel: int
    worst_rel: float
    worst_cosine: float
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        """The fields as JSON data, non-finite numbers as None."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


class ChannelSums:
    """Accumulators of ``count`` channels; each attribute is an array of that length."""

    def __init__(self, count: int) -> None:
        self.low, self.high = np.full(count, np.inf), np.full(count, -np.inf)
        self.diff, self.error = np.zeros(count), np.zeros(count)
        self.ab, self.aa, self.bb = np.zeros(count), np.zeros(count), np.zeros(count)

    def add(self, a: Array, b: Array) -> None:
        """Account for two float64 blocks of shape (channels, elements), ``a`` of the reference; ``a is b`` is cheap."""
        if a is b:
            finite = np.where(np.isfinite(a), a, 0.0)
            self._moments(finite, finite)
            self._range(a)
            return
        with np.errstate(invalid="ignore", over="ignore"):
            diff = np.abs(a - b)
        self._range(a)
        if not np.isfinite(diff).all():
            a, b, diff = _finite(a, b, diff)
        np.maximum(self.diff, diff.max(axis=1), out=self.diff)
        self.error += _dot(diff, diff)
        self._moments(a, b)

    def _moments(self, a: Array, b: Array) -> None:
        power = _dot(a, a)
        self.aa += power
        self.ab += power if a is b else _dot(a, b)
        self.bb += power if a is b else _dot(b, b)

    def _range(self, a: Array) -> None:
        finite = np.isfinite(a)
        np.minimum(self.low, np.where(finite, a, np.inf).min(axis=1), out=self.low)
        np.maximum(self.high, np.where(finite, a, -np.inf).max(axis=1), out=self.high)

    def scale(self) -> Array:
        """Range of each channel of the reference, at least SMALLEST_SCALE."""
        return np.maximum(np.where(self.high >= self.low, self.high - self.low, 0.0), SMALLEST_SCALE)

    def rel(self) -> Array:
        """Largest difference of each channel over its scale."""
        return self.diff / self.scale()

    def cosines(self) -> Array:
        """Cosine of each channel."""
        return np.array([_cosine(*sums) for sums in zip(self.ab, self.aa, self.bb, self.error, strict=True)])


def _dot(x: Array, y: Array) -> Array:
    return np.asarray(np.einsum("cr,cr->c", x, y))


def _finite(a: Array, b: Array, diff: Array) -> tuple[Array, Array, Array]:
    """Blocks whose non-finite elements are zero, but for an infinite difference where the two sides disagree."""
    both = np.isfinite(a) & np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(both, a, 0.0), np.where(both, b, 0.0), np.where(both, diff, np.where(same, 0.0, np.inf))


def _cosine(ab: float, aa: float, bb: float, error: float) -> float:
    if not math.isfinite(error):
        return math.nan
    if error == 0:
        return 1.0
    return min(1.0, float(ab / math.sqrt(aa * bb))) if aa > 0 and bb > 0 else 0.0


class Tally:
    """The running comparison of one value; samples are added one at a time and not kept."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem: str | None = None
        self.is_float = True
        self.elements = self.mismatches = self.nonfinite = 0
        self.channels: dict[int, ChannelSums] = {}
        """Accumulators by number of channels, which may differ between samples of a dynamic model."""

    def add(self, reference: Array | None, candidate: Array | None) -> None:
        """Account for one sample; None stands for a value that was not computed."""
        if (problem := _problem(reference, candidate)) or reference is None or candidate is None:
            self.problem = self.problem or problem
            return
        self.elements += reference.size
        self.is_float = is_float(reference)
        mismatches = count_mismatches(reference, candidate)
        self.mismatches += mismatches
        if reference.size and reference.dtype.kind not in "OUS":
            self._sums(reference, candidate if mismatches else reference)

    def _sums(self, reference: Array, candidate: Array) -> None:
        a, b = _by_channel(reference), _by_channel(candidate)
        sums = self.channels.setdefault(a.shape[1], ChannelSums(a.shape[1]))
        step = max(1, _BLOCK // a.shape[1])
        for row in range(a.shape[0]):
            for start in range(0, a.shape[2], step):
                block = a[row, :, start : start + step].astype(np.float64)
                same = candidate is reference
                sums.add(block, block if same else b[row, :, start : start + step].astype(np.float64))
                self.nonfinite += int(np.count_nonzero(~np.isfinite(block)))

    def drift(self) -> OutputDrift:
        """The figures so far."""
        groups = list(self.channels.values())
        total = _total(groups)
        rel = np.concatenate([g.rel() for g in groups] or [np.zeros(1)])
        cosines = np.concatenate([g.cosines() for g in groups] or [np.ones(1)])
        return OutputDrift(
            name=self.name,
            max_abs=float(total.diff[0]),
            rel_to_range=float(total.rel()[0]),
            cosine=float(total.cosines()[0]),
            sqnr_db=_decibel(float(total.aa[0]), float(total.error[0])),
            bit_identical=self.problem is None and self.mismatches == 0,
            mismatches=self.mismatches,
            elements=self.elements,
            nonfinite=self.nonfinite,
            worst_channel=int(np.argmax(rel)),
            worst_rel=float(rel.max()),
            worst_cosine=float(cosines.min()),
            problem=self.problem,
        )


def compare(pairs: Iterable[tuple[Outputs, Outputs]], into: dict[str, Tally] | None = None) -> dict[str, Tally]:
    """The tallies, by name, of (reference, candidate) outputs per sample; what one side lacks is a problem.

    ``into`` is added to and returned when given.
    """
    tallies: dict[str, Tally] = {} if into is None else into
    for reference, candidate in pairs:
        for name in dict.fromkeys((*reference, *candidate)):
            tallies.setdefault(name, Tally(name)).add(reference.get(name), candidate.get(name))
    return tallies


def _problem(reference: Array | None, candidate: Array | None) -> str | None:
    if reference is None or candidate is None:
        return "only one of the models computes it"
    if reference.dtype != candidate.dtype:
        return f"dtype {candidate.dtype} in place of {reference.dtype}"
    if reference.shape != candidate.shape:
        return f"shape {_dims(candidate)} in place of {_dims(reference)}"
    return None


def _dims(array: Array) -> str:
    return "x".join(map(str, array.shape)) or "scalar"


def is_float(array: Array) -> bool:
    """Whether the dtype is a floating one, those of ml_dtypes included."""
    return array.dtype.kind in "fcV" and "int" not in array.dtype.name


def count_mismatches(a: Array, b: Array) -> int:
    """Elements that differ between arrays of one dtype and shape; NaN equals NaN, 0.0 equals -0.0."""
    differ = np.asarray(a != b)
    if is_float(a) and differ.any():
        differ &= ~(np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64)))
    return int(np.count_nonzero(differ))


def _by_channel(array: Array) -> Array:
    """A view of shape (batch, channels, rest); one channel below rank 3."""
    if array.ndim < 3:
        return array.reshape(1, 1, -1)
    return array.reshape(array.shape[0], array.shape[1], -1)


def _total(groups: list[ChannelSums]) -> ChannelSums:
    total = ChannelSums(1)
    for g in groups:
        total.low[0], total.high[0] = min(total.low[0], g.low.min()), max(total.high[0], g.high.max())
        total.diff[0] = max(total.diff[0], g.diff.max())
        for field in ("error", "ab", "aa", "bb"):
            getattr(total, field)[0] += getattr(g, field).sum()
    return total


def _decibel(signal: float, error: float) -> float:
    if error == 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal > 0 and math.isfinite(error) else -math.inf
