"""Coefficients refined by measurements of whole models, held to what is shipped.

Every coefficient that takes part in the estimates of the measured models gets a factor: the most probable one when it
is as uncertain as the spread of its coefficient says, and a measurement as :data:`NOISE`. One that the measurements say
nothing of keeps its value, and is named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from surgery.cost.coefficients import Coefficient, Sheet
from surgery.cost.segments import ON_BPU
from surgery.errors import InputError

if TYPE_CHECKING:
    from surgery.cost.estimate import Estimate

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Figure: TypeAlias = Literal["bpu_ms", "latency_ms"]
NOISE = 0.03
"""Relative error of a measurement."""
KNOWN = 0.7
"""A factor counts as identified when the measurements leave this part of its uncertainty or less."""
QUANTILE = 1.645
"""Standard deviations from the middle to either end of an interval (5 and 95 %)."""
ODD = 20.0
"""Ratio of measurement and estimate from which on the unit has to be wrong."""


@dataclass(frozen=True)
class Measured:
    """A model's measured time in ms, of the kind that ``figure`` names, and the shipped estimate of it.

    ``source`` is who measured: a board, or the vendor's toolchain, whose time is itself a prediction.
    """

    model: str
    figure: Figure
    ms: float
    estimate: Estimate
    source: Literal["board", "toolchain"] = "board"

    @property
    def estimated(self) -> float:
        """What the shipped coefficients say, in ms."""
        shipped = self.estimate.compiler_ms if self.source == "toolchain" else getattr(self.estimate, self.figure)
        return float(shipped.mid)


@dataclass(frozen=True)
class Refined:
    """One coefficient: its factor, the spread around the new value, and whether the measurements identify it."""

    name: str
    factor: float
    spread: tuple[float, float]
    identified: bool


@dataclass(frozen=True)
class Calibration:
    """The refined coefficients, and errors in percent, one per measurement.

    ``before`` by the shipped coefficients, ``after`` by those that the measurements of the other models give.
    """

    refined: tuple[Refined, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


def calibrate(found: Sequence[Measured], sheet: Sheet) -> Calibration:
    """Refine the coefficients of ``sheet`` by measurements.

    Raises:
        InputError: fewer than two measurements, times in another unit, or measurements that identify nothing.
    """
    _check(found)
    problem = _Problem(found, sheet)
    widths = problem.widths
    factors, left = problem.solve(range(len(found)), widths)
    known = left <= KNOWN * widths
    if not known.any():
        names = ", ".join(problem.names)
        raise InputError(f"the measurements identify no coefficient ({names})", hint="measure more, and other models")
    held = np.where(known, widths, 0.0)
    factors, left = problem.solve(range(len(found)), held)
    after = []
    for out in range(len(found)):
        rest, _ = problem.solve([i for i in range(len(found)) if found[i].model != found[out].model], held)
        after.append(100 * (float(problem.predicted(rest)[out]) / found[out].ms - 1))
    before = tuple(100 * (item.estimated / item.ms - 1) for item in found)
    refined = (_refined(*one, sheet) for one in zip(problem.names, factors, left, known, strict=True))
    return Calibration(tuple(refined), before, tuple(after))


def _check(found: Sequence[Measured]) -> None:
    if len(found) < 2:
        raise InputError("at least two measurements are needed", hint="measure more models")
    for item in found:
        if not item.estimated > 0:
            told = f"nothing of {item.model!r} has an estimate of {item.figure}"
            raise InputError(f"{told}, there is nothing to hold against {item.ms:g} ms")
        if not 1 / ODD < item.ms / item.estimated < ODD:
            told = f"{item.ms:g} ms of {item.figure} for {item.model!r}, whose estimate is {item.estimated:.3g} ms"
            raise InputError(f"{told}: is it another unit, or another march?")


class _Problem:
    """Estimates as sums of what each coefficient is to blame for, by logarithms of factors."""

    def __init__(self, found: Sequence[Measured], sheet: Sheet) -> None:
        parts = [_parts(item) for item in found]
        own = dict(sheet.coefficients())
        self.names = tuple(sorted({name for part in parts for name in part} & own.keys()))
        self.shares = np.array([[part.get(name, 0.0) for name in self.names] for part in parts])
        self.fixed = np.array([item.estimated for item in found]) - self.shares.sum(axis=1)
        self.measured = np.array([item.ms for item in found])
        self.widths = np.array([_width(own[name]) for name in self.names])

    def predicted(self, factors: Floats) -> Floats:
        """The times with these factors, in ms."""
        return np.asarray(self.shares @ factors + self.fixed)

    def solve(self, rows: Sequence[int], widths: Floats) -> tuple[Floats, Floats]:
        """Factors and their uncertainty in the logarithm by some of the measurements; those of no width stay 1."""
        from scipy.optimize import least_squares

        rows, free = list(rows), np.flatnonzero(widths)

        def off(logs: Floats) -> Floats:
            whole = np.ones(len(widths))
            whole[free] = np.exp(logs)
            data = np.log(self.predicted(whole)[rows] / self.measured[rows]) / NOISE
            return np.concatenate([data, logs / widths[free]])

        found = least_squares(off, np.zeros(len(free)))
        factors, left = np.ones(len(widths)), widths.astype(float)
        factors[free] = np.exp(found.x)
        slope = np.asarray(found.jac)
        left[free] = np.sqrt(np.diag(np.linalg.inv(slope.T @ slope)))
        return factors, left


def _parts(item: Measured) -> dict[str, float]:
    """Milliseconds of the estimate by the coefficient that dominates each part of it."""
    estimate, parts = item.estimate, defaultdict[str, float](float)
    whole = item.figure == "latency_ms"
    for cost in estimate.nodes:
        on_bpu = cost.device in ON_BPU
        if cost.us.known and (on_bpu or whole):
            parts[cost.group] += cost.us.mid * (estimate.overlap if on_bpu else 1.0) * 1e-3
    if item.source == "board":
        parts["segment"] += estimate.segment.mid * 1e-3
    if whole:
        for name, us in (*((t.group, t.us) for t in estimate.transfers if t.us.known), *estimate.host):
            parts[name] += us.mid * 1e-3
    return {name: ms for name, ms in parts.items() if ms > 0}


def _width(coefficient: Coefficient) -> float:
    """Standard deviation of the logarithm, by the spread."""
    low, high = coefficient.spread
    return max(log(high / low) / (2 * QUANTILE), NOISE)


def _refined(name: str, factor: float, left: float, known: bool, sheet: Sheet) -> Refined:
    shipped = dict(sheet.coefficients())[name]
    if not known:
        return Refined(name, 1.0, shipped.spread, identified=False)
    ends = exp(QUANTILE * max(left, NOISE))
    return Refined(name, float(factor), (round(1 / ends, 3), round(ends, 3)), identified=True)


def refined_data(data: dict[str, Any], refined: Sequence[Refined], source: str) -> dict[str, Any]:
    """The coefficient file's data with the identified coefficients replaced, ``source`` saying where they come from."""
    names = {one.name: one for one in refined if one.identified}

    def better(name: str, entry: dict[str, Any]) -> dict[str, Any]:
        one = names.get(name)
        if one is None:
            return entry
        value = float(f"{entry['value'] * one.factor:.4g}")
        return {"value": value, "spread": list(one.spread), "basis": "fitted", "source": "calibration"}

    memory = {**data["memory"], "rate": better("memory", data["memory"]["rate"])}
    if "layer" in memory:
        memory["layer"] = better("memory layer", memory["layer"])
    return {
        **data,
        "sources": {**data["sources"], "calibration": source},
        "engine": {name: better(name, entry) for name, entry in data["engine"].items()},
        "segment": better("segment", data["segment"]),
        "memory": memory,
        "host": {name: better(name, entry) for name, entry in data["host"].items()},
        "cpu": {name: better(f"cpu {name}", entry) for name, entry in data["cpu"].items()},
    }
