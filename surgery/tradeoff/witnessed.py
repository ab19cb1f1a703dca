"""The front by the vendor's own toolchain: its integers in place of simulated ones, its compiled time beside ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from surgery.drift.figures import values
from surgery.drift.runner import open_runner
from surgery.errors import InputError
from surgery.pipeline import Pipeline
from surgery.report.tradeoff import BASELINE, TradeoffDocument, Variant, WitnessedVariant, WitnessTradeoff
from surgery.toolchain.quantised import QuantiseError
from surgery.tradeoff.evaluators import Runs
from surgery.tradeoff.int8 import fed, given_back
from surgery.tradeoff.paired import paired
from surgery.tradeoff.trial import Figures, Setup, Unfit, measured, rewritten
from surgery.witnessed import compiled

if TYPE_CHECKING:
    from surgery.pipeline.result import RunResult
    from surgery.toolchain import Witness

Array: TypeAlias = "np.ndarray[Any, Any]"
Feeds: TypeAlias = "Mapping[str, Array]"


@dataclass(frozen=True)
class Question:
    """Which toolchain, the level it compiles at, seconds that it has for a model, and how it finds thresholds."""

    witness: Witness
    level: str = "O2"
    limit: float = 600.0
    method: str = "max"


def witnessed(
    document: TradeoffDocument, setup: Setup, question: Question, progress: Callable[[int, int], None] | None = None
) -> TradeoffDocument:
    """The document with what the toolchain makes of the original and of the front, rewritten here once more.

    Its integers are calibrated on the samples of ``setup``; ``progress`` is called with models done and to do.
    """
    asked = [document.variants[number] for number in dict.fromkeys((BASELINE, *document.front))]
    rows: list[WitnessedVariant] = []
    versions: dict[str, str] = {}
    original: Figures | None = None
    for done, variant in enumerate(asked):
        if progress is not None:
            progress(done, len(asked))
        result = rewritten(setup, _pipeline(setup, variant))
        original = original or measured(setup.measure, open_runner(result.model))
        told, side = compiled(result.model, question.witness, setup.target, question.level, question.limit)
        versions = told or versions
        found, reason = _integers(setup, result, question)
        rows.append(
            WitnessedVariant(
                number=variant.number,
                int8=values(found),
                paired={n: pair for n, figure in found.items() if (pair := paired(original[n], figure))},
                reason=reason,
                compiled=side.model_copy(update={"layers": ()}),
            )
        )
    part = WitnessTradeoff(
        versions=versions,
        level=question.level,
        method=question.method,
        samples=len(setup.data.samples),
        variants=tuple(rows),
    )
    return document.model_copy(update={"witness": part})


def _pipeline(setup: Setup, variant: Variant) -> Pipeline:
    if variant.number == BASELINE:
        return Pipeline(())
    return setup.space.made(variant.add, variant.skip, variant.settings)


def _integers(setup: Setup, result: RunResult, question: Question) -> tuple[Figures, str]:
    """What the measure says of the integers; where there is nothing, the reason."""
    model, io = result.model, result.io
    whole = model if io is None else io.compose(model)
    asks = Recorded(open_runner(whole))
    try:
        measured(setup.measure, asks)
        calibration = setup.data.samples if io is None else fed(model, io, setup.data.samples)
        inside = asks.asked if io is None else fed(model, io, asks.asked)
        with question.witness.quantise(model, setup.target.name, calibration, method=question.method) as integers:
            made: list[dict[str, Array]] = integers.run_all(inside)
        outputs = made if io is None else given_back(model, io, made)
        return measured(setup.measure, Replayed(asks.asked, outputs)), ""
    except QuantiseError as error:
        return {}, error.what
    except Unfit as error:
        return {}, error.reason


class Recorded:
    """Runs a model and keeps what it was asked; the toolchain then computes all of it at once."""

    def __init__(self, runner: Runs) -> None:
        self._runner = runner
        self.asked: list[dict[str, Array]] = []

    def run(self, feeds: Feeds) -> Mapping[str, Array]:
        """The outputs of the model."""
        self.asked.append({name: np.asarray(value) for name, value in feeds.items()})
        return self._runner.run(feeds)


class Replayed:
    """Answers the same questions in the same order with outputs that were computed before."""

    def __init__(self, asked: Sequence[Feeds], outputs: Sequence[Mapping[str, Array]]) -> None:
        self._left = iter(list(zip(asked, outputs, strict=True)))

    def run(self, feeds: Feeds) -> Mapping[str, Array]:
        """The outputs for ``feeds``; InputError where these are not what comes next."""
        asked, outputs = next(self._left, ({}, {}))
        if asked.keys() != feeds.keys() or not all(np.array_equal(asked[name], feeds[name]) for name in asked):
            raise InputError("the evaluator does not ask the same of every model, in the same order")
        return outputs
