"""One variant: rewritten, held against the filters, then measured in float and as integers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from surgery.drift.drops import parted
from surgery.drift.figures import Figure, figures, values
from surgery.drift.runner import open_runner
from surgery.drift.thresholds import Method
from surgery.errors import DefectError, SurgeryError
from surgery.ir.exporter import Weights
from surgery.pipeline import Pipeline
from surgery.pipeline.cures import cures
from surgery.pipeline.prefixes import Prefixes
from surgery.pipeline.run import run as run_pipeline
from surgery.report.run import run_document
from surgery.report.text import number
from surgery.report.tradeoff import Outcome, Variant, variant_of
from surgery.target import Target, load_target
from surgery.tradeoff.axis import Choice
from surgery.tradeoff.evaluators import Measure, Runs
from surgery.tradeoff.int8 import simulated
from surgery.tradeoff.space import Space

if TYPE_CHECKING:
    from surgery.drift.inputs import InputSet
    from surgery.ir.model import Source
    from surgery.pipeline.result import RunResult


Figures: TypeAlias = "dict[str, Figure]"
Measured: TypeAlias = "dict[str, Figures]"
"""Figures of a variant by metric, under the field of :class:`Variant` that has their values: metrics and int8."""


@dataclass(frozen=True)
class Tried:
    """What became of a choice, and the figures with their samples, from which it is held against the original."""

    variant: Variant
    measured: Measured = field(default_factory=dict)


@dataclass(frozen=True)
class Setup:
    """All that a worker has to know to make and measure any variant.

    Attributes:
        model: a path, or what holds the model itself.
        march, assume: what it is rewritten for.
        space: the choices.
        data: samples to verify and to calibrate on, made by the caller.
        measure: called with a runner of the variant; returns what :func:`surgery.drift.figures.figures` takes.
        int8: how thresholds are found for the simulation of integers; None to leave it out.
        max_latency_ms: what is predicted slower is not measured.
        options: further ones of :func:`surgery.pipeline.run.run`.
        seen: what was measured here, by the digest of the model: choices often come to the same one.
        prefixes: what was rewritten here: choices often begin with the same passes.
    """

    model: Source
    march: str
    space: Space
    data: InputSet
    measure: Measure
    assume: str | None = None
    int8: Method | None = None
    max_latency_ms: float | None = None
    shapes: Mapping[str, Sequence[int]] | None = None
    options: Mapping[str, Any] | None = None
    seen: dict[str, Measured] = field(default_factory=dict, init=False, compare=False)
    prefixes: Prefixes = field(default_factory=Prefixes, init=False, compare=False)

    @property
    def target(self) -> Target:
        """The march."""
        return load_target(self.march, self.assume)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was found here, which is no part of the task: Dask's workers hand it on to each other."""
        return {**self.__dict__, "seen": {}, "prefixes": Prefixes()}


class Unfit(Exception):
    """A variant that is not to be measured, or could not be.

    Args:
        status: ``infeasible`` or ``failed``.
        reason: why.
    """

    def __init__(self, status: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def trial(setup: Setup, choice: Choice | None) -> Tried:
    """What becomes of a choice; None is the model as it was given, which no filter is held against.

    Whatever goes wrong with one variant is its own: the status and the reason say so, and nothing is raised but defects
    of this tool.
    """
    made = _named(setup.space, choice)
    try:
        result = rewritten(setup, Pipeline(()) if choice is None else setup.space.of(choice))
        left = cures(result.model, result.after.placement)
        made = _with_choice(variant_of(run_document(result, cures=left), _digest(result)), made)
        if choice is not None:
            _filter(setup, result, made)
        if made.model not in setup.seen:
            setup.seen[made.model] = _measured(setup, result)
        found = setup.seen[made.model]
        return Tried(made.model_copy(update={kind: values(each) for kind, each in found.items()}), found)
    except Unfit as error:
        return Tried(made.model_copy(update={"status": error.status, "reason": error.reason}))
    except DefectError:
        raise
    except SurgeryError as error:
        return Tried(made.model_copy(update={"status": "failed", "reason": str(error)}))


def _named(space: Space, choice: Choice | None) -> Variant:
    if choice is None:
        return Variant()
    return Variant(add=tuple(space.added(choice)), skip=_skipped(space, choice), settings=dict(space.settings(choice)))


def _skipped(space: Space, choice: Choice) -> tuple[str, ...]:
    return tuple(name for name in space.off(choice) if name in space.held)


def _with_choice(variant: Variant, named: Variant) -> Variant:
    return variant.model_copy(update={"add": named.add, "skip": named.skip, "settings": named.settings})


def rewritten(setup: Setup, pipeline: Pipeline) -> RunResult:
    """What becomes of the model by ``pipeline``."""
    return run_pipeline(
        setup.model,
        march=setup.target,
        pipeline=pipeline.freezing(setup.shapes or {}),
        inputs=_arrays(setup.data) if setup.data.source != "seeded" else None,
        samples=len(setup.data.samples),
        seed=setup.data.seed,
        input_shapes=setup.shapes,
        evaluate=_bounded(setup),
        prefixes=setup.prefixes,
        **(setup.options or {}),
    )


def _bounded(setup: Setup) -> Callable[[Any], Mapping[str, float]] | None:
    """The measure, where the budget bounds what it may lose; passes are held against it as they go."""
    drops = parted(setup.space.pipeline.budget)[1]
    return (lambda runner: values(measured(setup.measure, runner))) if drops else None


def _arrays(data: InputSet) -> dict[str, Any]:
    """The samples joined again, as they are given."""
    return {name: np.concatenate([s[name] for s in data.samples]) for name in data.samples[0]}


def _filter(setup: Setup, result: RunResult, made: Variant) -> None:
    """Raise Unfit for what is not worth measuring."""
    if result.exceeded:
        raise Unfit("infeasible", f"over budget: {'; '.join(result.exceeded)}")
    if not made.accepted:
        rules = ", ".join(refusal.rule for refusal in result.after.placement.refusals) or "it fails on a node"
        raise Unfit("infeasible", f"the {result.target.name} toolchain refuses it: {rules}")
    most, span = setup.max_latency_ms, made.latency_ms
    if most is not None and span is not None and span.mid is not None and span.mid > most:
        raise Unfit("infeasible", f"{number(span.mid)} ms are predicted, at most {number(most)} are wanted")


def _measured(setup: Setup, result: RunResult) -> Measured:
    whole = result.model if result.io is None else result.io.compose(result.model)
    found = {"metrics": measured(setup.measure, open_runner(whole))}
    if setup.int8 is not None:
        integers = simulated(result.model, result.io, result.target, setup.data, setup.int8)
        found["int8"] = measured(setup.measure, open_runner(integers))
    return found


def measured(measure: Callable[[Any], Any], runner: Runs) -> Figures:
    """What ``measure`` says of a model that ``runner`` runs, by metric.

    Raises:
        Unfit: it raises, or returns no numbers, none at all or such as are not finite.
    """
    try:
        found = figures(measure(runner))
    except Exception as error:  # the user's own code may raise anything
        what = error.what if isinstance(error, SurgeryError) else str(error)
        raise Unfit("failed", f"the evaluator raised {type(error).__name__}: {what}") from error
    if not found:
        raise Unfit("failed", "the evaluator returned no metric")
    for name, figure in found.items():
        if (odd := next((v for v in (figure.value, *figure.samples) if not np.isfinite(v)), None)) is not None:
            raise Unfit("failed", f"the evaluator returned {odd} for {name}")
    return found


def _digest(result: RunResult) -> str:
    """A hash of the rewritten model and of what moved out of it."""
    moved = [] if result.io is None else [result.io.prologue, result.io.epilogue]
    digest = hashlib.sha256()
    for proto in (result.model.to_proto(Weights.INLINE), *moved):
        digest.update(proto.SerializeToString(deterministic=True))
    return digest.hexdigest()
