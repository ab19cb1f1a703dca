"""The search: the model as it was given first, then batch after batch of what a strategy proposes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surgery.errors import InputError, unknown
from surgery.ir import Model
from surgery.report.base import ModelRef
from surgery.report.text import plural
from surgery.report.tradeoff import Paired, TradeoffDocument, Variant, front_of
from surgery.tradeoff.axis import Axis, Choice, Range
from surgery.tradeoff.dask import cluster
from surgery.tradeoff.journal import Journal, journal
from surgery.tradeoff.paired import paired
from surgery.tradeoff.strategy import key_of, strategy
from surgery.tradeoff.trial import Measured, Setup, Tried
from surgery.tradeoff.workers import LOST, Try, here, processes
from surgery.versions import versions


@dataclass(frozen=True)
class Wanted:
    """What is searched for, and how.

    Attributes:
        evaluator: the name of the measure.
        metric: what is traded for time; the first that the measure returns when None.
        least: whether less of it is better.
        trials: how many variants are tried at most, without the original.
        seed: of a guided search.
        workers: processes of this machine; 1 is this process.
        scheduler: address of a Dask scheduler, whose workers are taken instead.
        storage: file of what is done.
        progress: called with trials done and to do.
    """

    evaluator: str
    metric: str | None = None
    least: bool = False
    trials: int = 64
    seed: int = 0
    workers: int = 1
    scheduler: str | None = None
    storage: Path | None = None
    progress: Callable[[int, int], None] | None = None


def search(model: Model, setup: Setup, wanted: Wanted) -> TradeoffDocument:
    """Try variants of ``model``, and say which of them are the best.

    Raises:
        InputError: the model as it was given cannot be measured, the metric is not among those that are measured, or
            the storage or the scheduler cannot be used.
    """
    with _workers(setup, wanted) as tried, journal(wanted.storage, _search(model, setup, wanted)) as done:
        return _Search(model, setup, wanted, tried, done).document()


def _workers(setup: Setup, wanted: Wanted) -> AbstractContextManager[Try]:
    if wanted.scheduler is not None:
        return cluster(setup, wanted.scheduler)
    return here(setup) if wanted.workers == 1 else processes(setup, wanted.workers)


class _Search:
    def __init__(self, model: Model, setup: Setup, wanted: Wanted, tried: Try, done: Journal) -> None:
        self.model, self.setup, self.wanted, self.tried, self.done = model, setup, wanted, tried, done
        self.original = self._original()
        self.baseline = self.original.variant
        self.metric = self._metric()
        timed = self.baseline.latency_ms is not None
        self.strategy = strategy(setup.space, wanted.trials, wanted.seed, timed=timed, least=wanted.least)
        self.variants = [self.baseline]

    def document(self) -> TradeoffDocument:
        """Search, and put everything together."""
        while choices := self.strategy.batch():
            found = [self._held(tried) for tried in self._results(choices)]
            self.variants += found
            self.strategy.tell([(variant, self._value(variant)) for variant in found])
        numbered = tuple(v.model_copy(update={"number": at}) for at, v in enumerate(self.variants))
        values = {v.number: value for v in numbered if (value := self._value(v)) is not None}
        return TradeoffDocument(
            variants=numbered,
            front=front_of(numbered, values, least=self.wanted.least),
            metric=self.metric,
            least=self.wanted.least,
            search=self.strategy.searched,
            **_described(self.model, self.setup, self.wanted),
        )

    def _original(self) -> Tried:
        (found,) = self._results([None])
        if found.variant.status != "ok":
            raise InputError(f"the model as it was given cannot be measured: {found.variant.reason}", where="--eval")
        return found

    def _metric(self) -> str:
        name = self.wanted.metric or next(iter(self.baseline.metrics))
        if name not in self.baseline.metrics:
            raise unknown("metric", name, self.baseline.metrics, where="--metric")
        return name

    def _results(self, choices: Sequence[Choice | None]) -> list[Tried]:
        """What became of each choice, from the journal or from a trial."""
        keys = [key_of(choice) for choice in choices]
        found = {key: tried for key in keys if (tried := self.done.get(key)) is not None}
        left = [choice for choice, key in zip(choices, keys, strict=True) if key not in found]
        self._progress(len(found))
        for place, tried in self.tried(left) if left else ():
            found[key_of(left[place])] = tried
            if tried.variant.reason != LOST:
                self.done.add(key_of(left[place]), tried)
            self._progress(len(found))
        return [found[key] for key in keys]

    def _progress(self, done: int) -> None:
        if self.wanted.progress is not None and hasattr(self, "variants"):
            self.wanted.progress(len(self.variants) - 1 + done, self.strategy.searched.trials)

    def _held(self, tried: Tried) -> Variant:
        """The variant, held against the original; failed, if it was measured otherwise."""
        if tried.variant.status != "ok":
            return tried.variant
        if odd := _odd(self.original.measured, tried.measured):
            return tried.variant.model_copy(update={"status": "failed", "reason": f"the evaluator returned {odd}"})
        return tried.variant.model_copy(update=_paired(self.original.measured, tried.measured))

    def _value(self, variant: Variant) -> float | None:
        metrics = variant.int8 if self.setup.int8 is not None else variant.metrics
        return metrics.get(self.metric) if variant.status == "ok" else None


def _odd(original: Measured, found: Measured) -> str:
    """How metrics or their samples are others than those of the original; "" where they are not."""
    for kind, wanted in original.items():
        if wanted.keys() != found[kind].keys():
            return f"{', '.join(found[kind])}; of the original {', '.join(wanted)}"
        for name, figure in wanted.items():
            sizes = [len(each.samples) for each in (found[kind][name], figure)]
            if sizes[0] != sizes[1]:
                return f"{plural(sizes[0], 'sample')} of {name}; of the original {sizes[1]}"
    return ""


def _paired(original: Measured, found: Measured) -> dict[str, dict[str, Paired]]:
    """The fields of a variant that hold it against the original."""
    fields = {"metrics": "paired", "int8": "paired_int8"}
    return {
        fields[kind]: {name: pair for name, figure in wanted.items() if (pair := paired(figure, found[kind][name]))}
        for kind, wanted in original.items()
    }


def _described(model: Model, setup: Setup, wanted: Wanted) -> dict[str, Any]:
    """What the document says of the search."""
    return {
        "model": ModelRef.of(model),
        "march": setup.target.name,
        "input_shape": {name: tuple(sizes) for name, sizes in (setup.shapes or {}).items()},
        "inputs": setup.data.description,
        "given": None if setup.data.source == "seeded" else setup.data.source,
        "samples": len(setup.data.samples),
        "evaluator": wanted.evaluator,
        "int8": setup.int8 is not None,
        "calibration": setup.int8.value if setup.int8 is not None else "",
        "max_latency_ms": setup.max_latency_ms,
        "pipeline": setup.space.file,
        "budget": dict(setup.space.pipeline.budget),
        "space": {axis.name: _values(axis) for axis in setup.space.axes},
        "replay": {"assume": setup.assume, **_plain(setup.options), "versions": versions()},
    }


def _values(axis: Axis) -> Any:
    """The values of an axis as its YAML has them."""
    return axis.values.model_dump(exclude_defaults=True) if isinstance(axis.values, Range) else list(axis.values)


def _plain(options: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (options or {}).items() if value is not None}


def _search(model: Model, setup: Setup, wanted: Wanted) -> dict[str, Any]:
    """What decides the result of a trial: the journal of a search with another one is of no use."""
    proto = model.to_proto().SerializeToString(deterministic=True)
    data = hashlib.sha256()
    for sample in setup.data.samples:
        for name, values in sorted(sample.items()):
            data.update(f"{name} {values.dtype} {values.shape} ".encode() + values.tobytes())
    said = _described(model, setup, wanted)
    kept = ("march", "evaluator", "int8", "calibration", "max_latency_ms", "budget", "input_shape", "replay")
    pipeline = setup.space.pipeline.to_dict()
    content = {"model": hashlib.sha256(proto).hexdigest(), "data": data.hexdigest(), "pipeline": pipeline}
    return {**content, **{name: said[name] for name in kept}}
