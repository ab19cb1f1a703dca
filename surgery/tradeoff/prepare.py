"""From what a user says to what a worker needs: samples, space, measure and filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

from surgery.drift.inputs import InputSet, make_inputs
from surgery.drift.runner import open_runner
from surgery.errors import InputError, WeightsMissing
from surgery.ir import Model
from surgery.ir.notes import some
from surgery.pipeline import Pipeline
from surgery.tradeoff.detection import Decode
from surgery.tradeoff.evaluators import AGREEMENT, Agreement, Measure, ready
from surgery.tradeoff.space import Space

EVERY = 1 << 62
"""More samples than there are."""


def within(space: Space, budget: Mapping[str, float]) -> Space:
    """The space whose pipelines may spend ``budget``, too; its bounds come before those of the file."""
    pipeline = space.pipeline
    return replace(space, pipeline=Pipeline(pipeline.steps, {**pipeline.budget, **budget}))


def loaded(model: Any) -> Model:
    """The model, whose weights have to be there.

    Raises:
        WeightsMissing: they are not.
    """
    found = Model.load(model)
    if missing := found.missing_weights():
        raise WeightsMissing(f"the external data of {some(missing)} is missing", where=str(found.path or ""))
    return found


def drawn(model: Model, *, samples: int, **options: Any) -> InputSet:
    """At most ``samples`` to verify and calibrate on; the options are those of :func:`make_inputs`.

    Raises:
        InputError: they are of different sizes.
    """
    data = make_inputs(model, samples=samples, **options)
    for name, array in data.samples[0].items():
        if any(sample[name].shape != array.shape for sample in data.samples):
            raise InputError("samples of different sizes", where=f"{data.source}, input {name!r}")
    return data


def measure_of(
    wanted: Callable[[Any], Any] | str | None,
    model: Model,
    data: InputSet,
    labels: str | PathLike[str] | None,
    decode: Decode | None = None,
    **options: Any,
) -> tuple[Measure, str]:
    """What measures a variant, and its name.

    Args:
        wanted: a function, or the name of a ready measure; agreement with the original when None.
        model: as it was given.
        data: what agreement is measured on.
        labels: of a ready measure, which takes every sample that was given.
        decode: what a model's outputs detect, for the measure that asks for it.
        options: those of :func:`make_inputs`.
    """
    if wanted is not None and not isinstance(wanted, str):
        if labels is not None:
            raise InputError("labels are for ready measures; a function has its own", where="--labels")
        if decode is not None:
            raise InputError("a function decodes for itself", where="--decode", hint="it is for --eval detection")
        return wanted, name_of(wanted)
    if wanted is None or wanted == AGREEMENT:
        if decode is not None:
            raise InputError(f"{AGREEMENT} decodes nothing", where="--decode", hint="it is for --eval detection")
        return Agreement.with_original(open_runner(model), data.samples), AGREEMENT
    every = make_inputs(model, samples=EVERY, **options) if options.get("given") is not None else data
    return ready(wanted, every, labels, decode), wanted


def name_of(measure: Callable[[Any], Any]) -> str:
    """``module:function``, or what a measure calls itself."""
    said = getattr(measure, "name", None)
    return said if isinstance(said, str) else f"{measure.__module__}:{getattr(measure, '__qualname__', measure)}"
