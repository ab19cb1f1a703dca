"""What an evaluator says of a model: numbers by metric, and the samples that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
SCORE = "score"
"""The name of a metric that an evaluator returns without one."""


@dataclass(frozen=True)
class Figure:
    """A metric over samples.

    Attributes:
        value: the metric.
        samples: a number for each sample, in their order, whose mean is the metric, or about it where the metric is no
            mean (:meth:`jackknife`); none where these are not known.
        of: how many samples there are, where the numbers are of equal parts of them.
    """

    value: float
    samples: tuple[float, ...] = ()
    of: int = 0

    @property
    def count(self) -> int:
        """How many samples the numbers are of."""
        return self.of or len(self.samples)

    @classmethod
    def mean(cls, samples: Array) -> Figure:
        """The mean of ``samples``, numbers or truths [N]."""
        rows = np.asarray(samples).astype(np.float64)
        if rows.ndim != 1 or not rows.size:
            raise ValueError(f"samples of shape {'x'.join(map(str, rows.shape))} are none of N")
        return cls(float(rows.mean()), tuple(rows.tolist()))

    @classmethod
    def jackknife(cls, rows: Array, of: Callable[[Array], Array]) -> Figure:
        """A metric that is a function of sums over samples.

        Its samples are Tukey's pseudo-values: N times the metric less N - 1 times that of all other samples (B. Efron,
        The Jackknife, the Bootstrap and Other Resampling Plans, 1982, chapter 3).

        Args:
            rows: float64 [N, K], what each sample adds.
            of: from sums [..., K] to the metric [...].
        """
        total = rows.sum(axis=0)
        whole = float(of(total))
        if len(rows) < 2:
            return cls(whole)
        return cls.left_out(whole, of(total - rows))

    @classmethod
    def left_out(cls, whole: float, without: Array, of: int = 0) -> Figure:
        """The metric ``whole``, and what it is without each of N equal parts of the samples, [N], as pseudo-values."""
        return cls(whole, tuple((len(without) * whole - (len(without) - 1) * without).tolist()), of)


Said: TypeAlias = "float | Array | Figure"
"""A metric as an evaluator returns it: a number, a number or truth for each sample [N], or both."""


def figures(found: Said | Mapping[str, Said]) -> dict[str, Figure]:
    """What an evaluator returned, by metric.

    Raises:
        ValueError, TypeError: it is no number.
    """
    named = found if isinstance(found, Mapping) else {SCORE: found}
    return {str(name): _figure(said) for name, said in named.items()}


def values(found: Mapping[str, Figure]) -> dict[str, float]:
    """The metrics alone."""
    return {name: figure.value for name, figure in found.items()}


def _figure(said: Said) -> Figure:
    if isinstance(said, Figure):
        return said
    return Figure(float(said)) if np.ndim(said) == 0 else Figure.mean(np.asarray(said))
