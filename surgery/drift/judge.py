"""What each exactness class tolerates.

EXACT: bit-identical. ROUNDING: per channel, the largest difference over the channel's scale is at most
``max(1e-4, 8 x own noise)``, where own noise is what one ulp on every weight of the original does to the same
channel; outputs of integers, booleans and strings mismatch no more often than under that noise. APPROXIMATE: a budget
the user gave. A bound wider than 1e-4 is part of the verdict, never hidden.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from surgery.drift.metrics import Array, OutputDrift, Tally
from surgery.errors import InputError, unknown

ROUNDING_BOUND = 1e-4
"""Largest difference over a channel's scale that counts as rounding whatever the noise."""
NOISE_FACTOR = 8
"""How many times its own noise an output may move."""

_AT_LEAST: dict[str, Callable[[OutputDrift], float]] = {
    "cosine": lambda d: min(d.cosine, d.worst_cosine),
    "sqnr_db": lambda d: d.sqnr_db,
}
_AT_MOST: dict[str, Callable[[OutputDrift], float]] = {
    "max_abs": lambda d: d.max_abs,
    "rel_to_range": lambda d: max(d.rel_to_range, d.worst_rel),
    "mismatches": lambda d: float(d.mismatches),
}


@dataclass(frozen=True)
class Widened:
    """An output whose own noise is above the usual bound.

    Attributes:
        output: its name.
        bound: the widest bound of its channels, or the mismatches allowed of a discrete output; inf when the noise
            alone makes it non-finite or changes its shape.
        channels: how many of its channels are widened.
    """

    output: str
    bound: float
    channels: int


@dataclass(frozen=True)
class Verdict:
    """Whether a step kept its promise.

    Attributes:
        ok: it did.
        reason: the first output that broke it and by how much; "" when ok.
        output: the name of that output; None when ok.
        worst: largest difference of any channel over its scale.
        widened: bounds above :data:`ROUNDING_BOUND`.
    """

    ok: bool
    reason: str
    output: str | None
    worst: float
    widened: tuple[Widened, ...] = ()


def judge(
    exactness: str,
    tallies: Mapping[str, Tally],
    noise: Mapping[str, Tally] | None = None,
    budget: Mapping[str, float] | None = None,
) -> Verdict:
    """Judge a comparison by the exactness class that was declared.

    Args:
        exactness: ``exact``, ``rounding`` or ``approximate``.
        tallies: candidate against reference, by output.
        noise: noise run against the original, by output; without it nothing is widened.
        budget: bound per metric, for ``approximate``: cosine and sqnr_db at least, max_abs, rel_to_range and
            mismatches at most; cosine and rel_to_range hold per channel, too. Without any, shapes have to be the same.

    Raises:
        InputError: a metric nobody knows, or ``approximate`` without a budget.
    """
    worst = max((t.drift().worst_rel for t in tallies.values()), default=0.0)
    widened = _widened(noise or {}) if exactness == "rounding" else ()
    for name, tally in tallies.items():
        if reason := _breach(exactness, tally, (noise or {}).get(name), budget):
            return Verdict(False, f"output {name!r}: {reason}", name, worst, widened)
    return Verdict(True, "", None, worst, widened)


def check_budget(budget: Mapping[str, float]) -> None:
    """Raise InputError for a metric nobody knows."""
    known = (*_AT_LEAST, *_AT_MOST)
    if wrong := next((m for m in budget if m not in known), None):
        raise unknown("metric", wrong, known, where="budget")


def _breach(exactness: str, tally: Tally, noise: Tally | None, budget: Mapping[str, float] | None) -> str:
    if exactness == "exact":
        return _exact(tally)
    if exactness == "rounding":
        return _rounding(tally, noise)
    if budget is None:
        raise InputError("an approximate rewrite needs a budget", hint="give one, e.g. --budget cosine=0.999")
    check_budget(budget)
    return _approximate(tally.drift(), budget)


def _exact(tally: Tally) -> str:
    drift = tally.drift()
    if drift.problem or drift.bit_identical:
        return drift.problem or ""
    of = f"{drift.mismatches} of {drift.elements} elements differ"
    return f"{of}, by up to {drift.max_abs:.3g}; exact means bit-identical"


def _rounding(tally: Tally, noise: Tally | None) -> str:
    if tally.problem:
        return "" if noise and noise.problem else tally.problem
    if not tally.is_float:
        allowed = noise.mismatches if noise else 0
        found = f"{tally.mismatches} of {tally.elements} elements differ"
        return f"{found}, own noise changes {allowed}" if tally.mismatches > allowed else ""
    for count, sums in tally.channels.items():
        rel, limit = sums.rel(), bounds(noise, count)
        if (over := ~(rel <= limit)).any():
            at = int(np.argmax(np.where(over, rel / limit, 0)))
            return f"channel {at} differs by {rel[at]:.3g} of its range, at most {limit[at]:.3g} is rounding"
    return ""


def _approximate(drift: OutputDrift, budget: Mapping[str, float]) -> str:
    if drift.problem:
        return drift.problem
    for metric, bound in budget.items():
        found = (_AT_LEAST.get(metric) or _AT_MOST[metric])(drift)
        if not (found >= bound if metric in _AT_LEAST else found <= bound):
            return f"{metric} is {found:.6g}, the budget says {bound:.6g}"
    return ""


def bounds(noise: Tally | None, count: int) -> Array:
    """The rounding bound of each of ``count`` channels, over the channel's scale."""
    sums = noise.channels.get(count) if noise else None
    own = np.zeros(count) if sums is None else sums.rel()
    return np.maximum(ROUNDING_BOUND, NOISE_FACTOR * own)


def _widened(noise: Mapping[str, Tally]) -> tuple[Widened, ...]:
    return tuple(w for tally in noise.values() if (w := _widening(tally)))


def _widening(noise: Tally) -> Widened | None:
    if noise.problem:
        return Widened(noise.name, math.inf, max(noise.channels, default=1))
    if not noise.is_float:
        return Widened(noise.name, float(noise.mismatches), 1) if noise.mismatches else None
    limits = np.concatenate([bounds(noise, count) for count in noise.channels] or [np.zeros(1)])
    wide = limits > ROUNDING_BOUND
    return Widened(noise.name, float(limits.max()), int(wide.sum())) if wide.any() else None
