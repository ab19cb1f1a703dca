"""Ready measures over samples: classification, segmentation, regression, and agreement with the original.

Each is called with something that has ``run(feeds) -> outputs`` and returns numbers by metric. Samples go through one
by one, as the model's own batch has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from surgery.drift.given import read_given
from surgery.drift.inputs import InputSet
from surgery.errors import InputError, unknown

Array: TypeAlias = "np.ndarray[Any, Any]"
Feeds: TypeAlias = "Mapping[str, Array]"
Measure: TypeAlias = "Callable[[Any], Any]"
LABELS = "labels"
"""Name under which an npz of labels holds them, unless it holds one array only."""


class Runs(Protocol):
    """What runs a model."""

    def run(self, feeds: Feeds) -> Mapping[str, Array]:
        """Outputs by name, for inputs by name."""


@dataclass(frozen=True)
class Labelled:
    """Samples with what is right for each: arrays as the model takes them, and one row of labels per sample."""

    samples: Sequence[Feeds]
    labels: Array

    def __post_init__(self) -> None:
        rows = sum(_batch(sample) for sample in self.samples)
        if len(self.labels) != rows:
            raise InputError(f"{len(self.labels)} labels for {rows} samples", hint="both have to be of the same length")

    def outputs(self, runner: Runs) -> Array:
        """The first output over all samples, joined along their first axis."""
        return np.concatenate([_first(runner.run(sample)) for sample in self.samples])


def _batch(sample: Feeds) -> int:
    first = next(iter(sample.values()))
    return first.shape[0] if first.ndim else 1


def _first(outputs: Mapping[str, Array]) -> Array:
    return np.atleast_1d(next(iter(outputs.values())))


@dataclass(frozen=True)
class TopK:
    """Classification: share of samples whose label is the best score (``top-1``), or among the best five (``top-5``).

    Scores are [N, C] or [N, C, 1, ...], labels integers [N] in 0..C-1. Of equal scores the lower class is the better.
    ``top-5`` is there from ten classes on.
    """

    data: Labelled

    def __call__(self, runner: Runs) -> dict[str, float]:
        """The shares, 0 to 1."""
        scores = self.data.outputs(runner)
        if scores.ndim < 2 or scores[0].size != scores.shape[1]:
            raise InputError(
                f"scores of shape {_shape(scores)} are none of N x classes", hint="measure with a function of your own"
            )
        ranked = np.argsort(-scores.reshape(len(scores), -1).astype(np.float64), axis=1, kind="stable")
        hits = ranked == np.asarray(self.data.labels).reshape(-1, 1)
        best = [k for k in (1, 5) if k == 1 or scores.shape[1] >= 10]
        return {f"top-{k}": float(hits[:, :k].any(axis=1).mean()) for k in best}


@dataclass(frozen=True)
class MeanIou:
    """Segmentation: intersection over union of each class that is in the labels, averaged (``mean-iou``, 0 to 1).

    Scores are [N, C, H, W], or classes [N, H, W] as integers; labels integers [N, H, W], of which negative ones and
    255 are nobody's.
    """

    data: Labelled

    def __call__(self, runner: Runs) -> dict[str, float]:
        """The average."""
        found = self.data.outputs(runner)
        classes = found.argmax(axis=1) if found.ndim == self.data.labels.ndim + 1 else found
        if classes.shape != self.data.labels.shape:
            raise InputError(f"classes of shape {_shape(classes)}, labels of {_shape(self.data.labels)}")
        known = (self.data.labels >= 0) & (self.data.labels != 255)
        right, guessed = self.data.labels[known], classes[known]
        shares = [_iou(right == kind, guessed == kind) for kind in np.unique(right)]
        return {"mean-iou": float(np.mean(shares))}


def _iou(one: Array, other: Array) -> float:
    return float((one & other).sum() / (one | other).sum())


@dataclass(frozen=True)
class Regression:
    """Numbers against what they should be: ``r2`` (1 is perfect), ``mae`` and ``rmse`` in the labels' unit.

    The first output and the labels have the same number of elements per sample.
    """

    data: Labelled

    def __call__(self, runner: Runs) -> dict[str, float]:
        """The three figures; r2 is NaN where all labels are equal."""
        found = self.data.outputs(runner).astype(np.float64).reshape(len(self.data.labels), -1)
        right = self.data.labels.astype(np.float64).reshape(len(self.data.labels), -1)
        if found.shape != right.shape:
            raise InputError(f"outputs of shape {_shape(found)}, labels of {_shape(right)}")
        error, spread = found - right, right - right.mean(axis=0)
        square, whole = float((error**2).sum()), float((spread**2).sum())
        r2 = 1 - square / whole if whole else float("nan")
        return {"r2": r2, "mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}


@dataclass(frozen=True)
class Agreement:
    """Against the original itself, without labels: ``cosine`` (at most 1) and ``psnr_db`` over an output's range.

    Both are the lowest of all outputs. A PSNR over 200 dB, as of equal values, is 200.
    """

    samples: Sequence[Feeds]
    reference: Mapping[str, Array]

    @classmethod
    def with_original(cls, runner: Runs, samples: Sequence[Feeds]) -> Agreement:
        """Compare with what ``runner`` computes on ``samples``."""
        return cls(samples, _all(runner, samples))

    def __call__(self, runner: Runs) -> dict[str, float]:
        """The two figures."""
        found = _all(runner, self.samples)
        pairs = [(wanted, found[name]) for name, wanted in self.reference.items()]
        return {"cosine": min(_cosine(*pair) for pair in pairs), "psnr_db": min(_psnr(*pair) for pair in pairs)}


def _all(runner: Runs, samples: Sequence[Feeds]) -> dict[str, Array]:
    rows = [runner.run(sample) for sample in samples]
    return {name: np.concatenate([row[name].ravel() for row in rows]).astype(np.float64) for name in rows[0]}


def _cosine(one: Array, other: Array) -> float:
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms else float(np.array_equal(one, other))


def _psnr(wanted: Array, found: Array) -> float:
    error, span = float(((wanted - found) ** 2).mean()), float(np.ptp(wanted)) or 1.0
    return 200.0 if error == 0 else min(200.0, 10 * float(np.log10(span**2 / error)))


def _shape(array: Array) -> str:
    return "x".join(map(str, array.shape))


READY: dict[str, Callable[[Labelled], Measure]] = {"top-k": TopK, "mean-iou": MeanIou, "regression": Regression}
"""Measures that need labels, by the name that ``--eval`` takes."""
AGREEMENT = "agreement"
"""The name of the measure that needs none."""


def ready(name: str, data: InputSet, labels: str | PathLike[str] | None) -> Measure:
    """The measure ``name`` over ``data``.

    Raises:
        InputError: no such measure; no labels, labels that cannot be read, or not as many as samples.
    """
    if name not in READY:
        raise unknown("measure", name, [*READY, AGREEMENT], where="--eval")
    if labels is None:
        raise InputError(f"{name} needs labels", where="--eval", hint="--labels F.npy, one row per sample of --inputs")
    try:
        return READY[name](Labelled(data.samples, read_labels(labels)))
    except InputError as error:
        error.where = error.where or f"--labels {labels}"
        raise


def read_labels(path: str | PathLike[str]) -> Array:
    """The only array of an npy or npz file, or the one called ``labels``."""
    found = read_given(path, ()).arrays if Path(path).suffix == ".npz" else read_given(path, (LABELS,)).arrays
    if LABELS not in found and len(found) != 1:
        raise unknown("array", LABELS, found, where=str(path))
    return np.asarray(found.get(LABELS, next(iter(found.values())))[0])
