"""Which choices are tried, batch by batch.

A batch does not depend on how many workers there are, only on the seed and on what came before. The choices of a batch
are made before any of them is tried, so that the whole search is the same for any number of workers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from surgery.report.tradeoff import Searched, Variant, time_of
from surgery.tradeoff.axis import Axis, Choice, Range
from surgery.tradeoff.space import Space, text_of

if TYPE_CHECKING:
    import optuna

BATCH = 16
"""Choices that a guided search makes before it looks at what became of them: a generation of NSGA-II."""
PATIENCE = 5
"""Batches in a row without a choice that was not made before, after which the search ends."""


class Strategy(Protocol):
    """What proposes choices and learns what became of them."""

    searched: Searched

    def batch(self) -> list[Choice]:
        """Choices to try next, none of them tried before; none when the search is over."""

    def tell(self, values: Sequence[tuple[Variant, float | None]]) -> None:
        """What became of the last batch, in its order, with what is traded; None where that was not measured."""


def strategy(space: Space, trials: int, seed: int, *, timed: bool, least: bool) -> Strategy:
    """Every choice where there are at most ``trials``, else a guided search for so many.

    Args:
        space: the choices.
        trials: how many are tried at most.
        seed: of the guided search.
        timed: whether a time is known; if not, the metric is the only objective.
        least: whether less of the metric is better.
    """
    points = space.points()
    if points is not None:
        first = list(itertools.islice(points, trials + 1))
        if len(first) <= trials:
            return Exhaustive(first, seed)
    return Guided(space, trials, seed, timed=timed, least=least)


class Exhaustive:
    """Every choice of the space."""

    def __init__(self, choices: Sequence[Choice], seed: int) -> None:
        self._left = list(choices)
        self.searched = Searched(strategy="exhaustive", seed=seed, trials=len(choices), points=len(choices))

    def batch(self) -> list[Choice]:
        """All of them, once."""
        left, self._left = self._left, []
        return left

    def tell(self, values: Sequence[tuple[Variant, float | None]]) -> None:
        """There is nothing to learn."""


class Guided:
    """Optuna's NSGA-II over time and metric; TPE where there is no time.

    Every choice is drawn with a seed of its own, so that a search that is begun again makes the same ones.
    """

    def __init__(self, space: Space, trials: int, seed: int, *, timed: bool, least: bool) -> None:
        self._axes, self._trials, self._seed, self._timed = space.axes, trials, seed, timed
        self._study = _study(timed=timed, least=least)
        self._known: dict[str, list[float] | None] = {}
        self._asked: list[tuple[optuna.Trial, str]] = []
        self.searched = Searched(strategy="nsga-ii" if timed else "tpe", seed=seed, trials=trials)

    def batch(self) -> list[Choice]:
        """The next generation, without what was tried before."""
        for _ in range(PATIENCE):
            fresh = self._generation()
            if fresh or len(self._known) >= self._trials:
                return fresh
            self._settle()
        return []

    def tell(self, values: Sequence[tuple[Variant, float | None]]) -> None:
        """Learn from the generation."""
        fresh = [key for key in dict.fromkeys(key for _, key in self._asked) if key not in self._known]
        for key, (variant, value) in zip(fresh, values, strict=True):
            times = [time_of(variant)] if self._timed else []
            self._known[key] = None if value is None else [*times, value]
        self._settle()

    def _generation(self) -> list[Choice]:
        fresh: dict[str, Choice] = {}
        while len(self._asked) < BATCH and len(self._known) + len(fresh) < self._trials:
            asked = self._ask()
            choice = suggested(asked, self._axes)
            key = key_of(choice)
            self._asked.append((asked, key))
            if key not in self._known:
                fresh[key] = choice
        return list(fresh.values())

    def _ask(self) -> optuna.Trial:
        number = len(self._study.trials)
        self._study.sampler = _sampler(self._seed * 1_000_003 + number, timed=self._timed)
        return self._study.ask()

    def _settle(self) -> None:
        """Tell Optuna what is known of what was asked."""
        from optuna.trial import TrialState

        for asked, key in self._asked:
            known = self._known[key]
            state = TrialState.FAIL if known is None else TrialState.COMPLETE
            self._study.tell(asked, known, state=state)
        self._asked = []


def suggested(asked: optuna.Trial, axes: Sequence[Axis]) -> Choice:
    """The choice that a trial of Optuna makes of the axes that matter."""
    chosen: Choice = {}
    for axis in axes:
        if axis.matters(chosen):
            chosen[axis.name] = _value(asked, axis)
    return chosen


def _value(asked: optuna.Trial, axis: Axis) -> object:
    values = axis.values
    if not isinstance(values, Range):
        return values[asked.suggest_categorical(axis.name, range(len(values)))]
    if values.whole:
        step = int(values.step or 1)
        return asked.suggest_int(axis.name, int(values.low), int(values.high), step=step, log=values.log)
    if values.points is not None:
        return values.points[asked.suggest_int(axis.name, 0, len(values.points) - 1)]
    return asked.suggest_float(axis.name, values.low, values.high, log=values.log)


def key_of(choice: Choice | None) -> str:
    """A choice as text; equal for choices that are the same."""
    return "" if choice is None else text_of(choice)


def _study(*, timed: bool, least: bool) -> optuna.Study:
    import optuna
    from optuna.study import StudyDirection

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    metric = StudyDirection.MINIMIZE if least else StudyDirection.MAXIMIZE
    return optuna.create_study(directions=[StudyDirection.MINIMIZE, metric] if timed else [metric])


def _sampler(seed: int, *, timed: bool) -> optuna.samplers.BaseSampler:
    from optuna.samplers import NSGAIISampler, TPESampler

    seed %= 2**32
    return NSGAIISampler(population_size=BATCH, seed=seed) if timed else TPESampler(n_startup_trials=BATCH, seed=seed)
