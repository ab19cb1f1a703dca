"""Two models on the same samples: how far a metric of one is from that of the other, and how sure that is."""

from __future__ import annotations

import numpy as np

from surgery.drift.figures import Figure
from surgery.report.tradeoff import Paired

LEVEL = 0.95
"""Confidence of every interval."""
_TAIL = (1 - LEVEL) / 2


def paired(before: Figure, after: Figure) -> Paired | None:
    """The difference ``after - before`` with its interval; None where fewer than two samples of each are known.

    Samples that are right or wrong are compared by McNemar's exact test, all others by Student's paired t.
    """
    count = len(before.samples)
    if count < 2 or len(after.samples) != count:
        return None
    one, other = np.array(before.samples), np.array(after.samples)
    change = other - one
    if np.isin([one, other], (0.0, 1.0)).all():
        low, high, p = exact(int((change > 0).sum()), int((change < 0).sum()), count)
        method = "mcnemar"
    else:
        low, high, p = _student(after.value - before.value, change)
        method = "t"
    return Paired.model_validate(
        {
            "difference": after.value - before.value,
            "low": low,
            "high": high,
            "p": p,
            "samples": after.count,
            "method": method,
        }
    )


def exact(up: int, down: int, count: int) -> tuple[float, float, float]:
    """Interval of (up - down) / count, and p of McNemar's exact test that it is 0.

    The interval takes that of Clopper and Pearson twice: for how many samples differ, and for the share of these that
    went up. It leaves 0 out exactly when p is below 0.05.
    """
    from scipy.special import bdtr

    least, most = _clopper(up + down, count)
    ends = [2 * share - 1 for share in _clopper(up, up + down)]
    low, high = ends[0] * (most if ends[0] < 0 else least), ends[1] * (most if ends[1] > 0 else least)
    return low, high, min(1.0, 2 * float(bdtr(min(up, down), up + down, 0.5)))


def _clopper(hits: int, count: int) -> tuple[float, float]:
    """C. Clopper and E. Pearson, Biometrika 26 (1934): the exact interval of a binomial share."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, count - hits + 1, _TAIL)) if hits else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1 - _TAIL)) if hits < count else 1.0
    return low, high


def _student(difference: float, change: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    from scipy.special import stdtr, stdtrit

    free = len(change) - 1
    error = float(change.std(ddof=1)) / np.sqrt(len(change))
    if error == 0:
        return difference, difference, float(difference == 0)
    reach = float(stdtrit(free, 1 - _TAIL)) * error
    return difference - reach, difference + reach, 2 * float(stdtr(free, -abs(difference) / error))
