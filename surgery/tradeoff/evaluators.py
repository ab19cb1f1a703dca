"""Ready measures over samples: classification, segmentation, regression, and agreement with the original.

Each is called with something that has ``run(feeds) -> outputs`` and returns figures by metric, which keep what each
sample gave. Samples go through one by one, as the model's own batch has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from surgery.drift.figures import Figure
from surgery.drift.given import read_given
from surgery.drift.inputs import InputSet
from surgery.errors import InputError, unknown
from surgery.tradeoff.detection import NAME as DETECTION
from surgery.tradeoff.detection import Decode, detection

Array: TypeAlias = "np.ndarray[Any, Any]"
Feeds: TypeAlias = "Mapping[str, Array]"
Measure: TypeAlias = "Callable[[Any], Any]"
LABELS = "labels"
"""Name under which an npz of labels holds them, unless it holds one array only."""
MOST_DB = 200.0
"""The PSNR of equal values."""


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

    def __call__(self, runner: Runs) -> dict[str, Figure]:
        """The shares, 0 to 1; a sample is right or not."""
        scores = self.data.outputs(runner)
        if scores.ndim < 2 or scores[0].size != scores.shape[1]:
            raise InputError(
                f"scores of shape {_shape(scores)} are none of N x classes", hint="measure with a function of your own"
            )
        ranked = np.argsort(-scores.reshape(len(scores), -1).astype(np.float64), axis=1, kind="stable")
        hits = ranked == np.asarray(self.data.labels).reshape(-1, 1)
        best = [k for k in (1, 5) if k == 1 or scores.shape[1] >= 10]
        return {f"top-{k}": Figure.mean(hits[:, :k].any(axis=1)) for k in best}


@dataclass(frozen=True)
class MeanIou:
    """Segmentation: intersection over union of each class that is in the labels, averaged (``mean-iou``, 0 to 1).

    Scores are [N, C, H, W], or classes [N, H, W] as integers; labels integers [N, H, W], of which negative ones and
    255 are nobody's.
    """

    data: Labelled

    def __call__(self, runner: Runs) -> dict[str, Figure]:
        """The average; samples are those of the jackknife over the counts of each."""
        found = self.data.outputs(runner)
        classes = found.argmax(axis=1) if found.ndim == self.data.labels.ndim + 1 else found
        if classes.shape != self.data.labels.shape:
            raise InputError(f"classes of shape {_shape(classes)}, labels of {_shape(self.data.labels)}")
        known = (self.data.labels >= 0) & (self.data.labels != 255)
        kinds = np.unique(self.data.labels[known])
        rows = [_counts(*pair, kinds) for pair in zip(self.data.labels, classes, strict=True)]
        return {"mean-iou": Figure.jackknife(np.array(rows).reshape(len(rows), -1), _mean_iou)}


def _counts(labels: Array, classes: Array, kinds: Array) -> Array:
    """Pixels by class, float64 [3, classes]: labelled so, found right, and either of both."""
    known = (labels >= 0) & (labels != 255)
    right, guessed = (part[known] == kinds[:, None] for part in (labels, classes))
    return np.array([part.sum(axis=1) for part in (right, right & guessed, right | guessed)], dtype=np.float64)


def _mean_iou(sums: Array) -> Array:
    """From counts [..., 3 x classes] of samples together; of what is in none of their labels nothing is said."""
    there, both, either = np.split(sums, 3, axis=-1)
    shares = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return np.asarray((shares * (there > 0)).sum(axis=-1) / np.maximum((there > 0).sum(axis=-1), 1))


@dataclass(frozen=True)
class Regression:
    """Numbers against what they should be: ``r2`` (1 is perfect), ``mae`` and ``rmse`` in the labels' unit.

    The first output and the labels have the same number of elements per sample.
    """

    data: Labelled

    def __call__(self, runner: Runs) -> dict[str, Figure]:
        """The three figures; r2 is NaN where all labels are equal. Its jackknife holds on to the mean of all labels."""
        found = self.data.outputs(runner).astype(np.float64).reshape(len(self.data.labels), -1)
        right = self.data.labels.astype(np.float64).reshape(len(self.data.labels), -1)
        if found.shape != right.shape:
            raise InputError(f"outputs of shape {_shape(found)}, labels of {_shape(right)}")
        error, spread = found - right, right - right.mean(axis=0)
        square, whole = (error**2).sum(axis=1), (spread**2).sum(axis=1)
        sizes = np.full(len(error), error.shape[1])
        return {
            "r2": Figure.jackknife(np.stack([square, whole], axis=1), _explained),
            "mae": Figure.mean(np.abs(error).mean(axis=1)),
            "rmse": Figure.jackknife(np.stack([square, sizes], axis=1), _root_mean),
        }


def _explained(sums: Array) -> Array:
    square, whole = np.moveaxis(sums, -1, 0)
    return np.asarray(1 - np.divide(square, whole, out=np.full_like(whole, np.nan), where=whole > 0))


def _root_mean(sums: Array) -> Array:
    square, count = np.moveaxis(sums, -1, 0)
    return np.asarray(np.sqrt(np.maximum(square, 0) / count))


@dataclass(frozen=True)
class Agreement:
    """Against the original itself, without labels: ``cosine`` (at most 1) and ``psnr_db`` over an output's range.

    Both are the lowest of all outputs. A PSNR over 200 dB, as of equal values, is 200.
    """

    samples: Sequence[Feeds]
    reference: Sequence[Mapping[str, Array]]

    @classmethod
    def with_original(cls, runner: Runs, samples: Sequence[Feeds]) -> Agreement:
        """Compare with what ``runner`` computes on ``samples``."""
        return cls(samples, [runner.run(sample) for sample in samples])

    def __call__(self, runner: Runs) -> dict[str, Figure]:
        """The two figures; their samples are those of the jackknife."""
        found = [runner.run(sample) for sample in self.samples]
        rows = np.array(
            [[_sums(wanted[n], made[n]) for n in wanted] for wanted, made in zip(self.reference, found, strict=True)]
        )
        flat = rows.transpose(0, 2, 1).reshape(len(rows), -1)
        spans = np.array([self._span(name) for name in self.reference[0]])
        return {
            "cosine": Figure.jackknife(flat, _cosine),
            "psnr_db": Figure.jackknife(flat, partial(_psnr, spans=spans)),
        }

    def _span(self, name: str) -> float:
        """The range of an output over all samples, 1 where it is constant."""
        ends = [f(row[name].astype(np.float64)) for row in self.reference if row[name].size for f in (np.min, np.max)]
        return float(np.ptp(ends)) or 1.0 if ends else 1.0


def _sums(wanted: Array, found: Array) -> tuple[float, float, float, float, float]:
    """Of one output of one sample: squares of both, their product, squares of the difference, and elements."""
    a, b = wanted.ravel().astype(np.float64), found.ravel().astype(np.float64)
    return float(a @ a), float(b @ b), float(a @ b), float((a - b) @ (a - b)), float(a.size)


def _cosine(sums: Array) -> Array:
    """The lowest of all outputs, from sums [..., 5 x outputs]; of two that are 0 throughout it is 1."""
    own, other, product, error, _ = np.split(sums, 5, axis=-1)
    norms = np.sqrt(np.maximum(own * other, 0))
    each = np.divide(product, norms, out=(error <= 0).astype(np.float64), where=norms > 0)
    return np.asarray(each.min(axis=-1))


def _psnr(sums: Array, spans: Array) -> Array:
    *_, error, count = np.split(sums, 5, axis=-1)
    noise = np.maximum(error / count, spans**2 * 10 ** (-MOST_DB / 10))
    return np.asarray((10 * np.log10(spans**2 / noise)).min(axis=-1))


def _shape(array: Array) -> str:
    return "x".join(map(str, array.shape))


READY: dict[str, Callable[[Labelled], Measure]] = {"top-k": TopK, "mean-iou": MeanIou, "regression": Regression}
"""Measures that need labels, by the name that ``--eval`` takes."""
AGREEMENT = "agreement"
"""The name of the measure that needs none."""


def ready(name: str, data: InputSet, labels: str | PathLike[str] | None, decode: Decode | None = None) -> Measure:
    """The measure ``name`` over ``data``; ``decode`` is for detections.

    Raises:
        InputError: no such measure; no labels, labels that cannot be read, or not as many as samples.
    """
    if name not in (*READY, DETECTION):
        raise unknown("measure", name, [*READY, DETECTION, AGREEMENT], where="--eval")
    if decode is not None and name != DETECTION:
        raise InputError(f"{name} decodes nothing", where="--decode", hint="it is for --eval detection")
    if labels is None and name == DETECTION:
        raise InputError(f"{name} needs labels", where="--eval", hint="--labels F.npz, with boxes, classes and images")
    if labels is None:
        raise InputError(f"{name} needs labels", where="--eval", hint="--labels F.npy, one row per sample of --inputs")
    if name == DETECTION:
        return detection(data.samples, labels, decode)
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
