"""The main job: rewrite, verify, place, estimate."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

from surgery.channels import Plan, plan_for
from surgery.drift.drops import Drops, parted
from surgery.drift.inputs import InputSet, make_inputs
from surgery.drift.taps import Drift
from surgery.drift.verifier import Verifier
from surgery.errors import DefectError, InputError, WeightsMissing, unknown
from surgery.ir import Model
from surgery.ir.collector import undisturbed
from surgery.ir.model import Source
from surgery.ir.notes import some
from surgery.ir.session import SessionError
from surgery.pipeline.bisect import Bisector, Guilty
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import FREEZING, Pipeline
from surgery.pipeline.prefixes import Opened, Prefixes
from surgery.pipeline.result import PassResult, RunResult, Status
from surgery.pipeline.state import State, compare, state_of
from surgery.pipeline.view import FOLDING, folded, frozen, place_as_seen
from surgery.rewrite import weakest
from surgery.target import Target, load_target, place

VERIFY = ("each", "end", "off")
Evaluator = Callable[[Any], Mapping[str, float]]
Metrics: TypeAlias = "tuple[dict[str, float], dict[str, float]]"
"""What the evaluator says before and after."""


@dataclass(frozen=True)
class Options:
    """How to verify and what to leave alone; the fields are the parameters of :func:`run`."""

    verify: str = "each"
    inputs: Any = None
    samples: int = 4
    seed: int = 0
    input_shapes: Mapping[str, Sequence[int]] | None = None
    input_ranges: Mapping[str, tuple[float, float]] | None = None
    budget: Mapping[str, float] | None = None
    protect: str | None = None
    evaluate: Evaluator | None = None
    trace: bool = False
    progress: Callable[[str], None] | None = None
    prefixes: Prefixes | None = None


def run(
    model: Source,
    *,
    march: str | Target,
    pipeline: Pipeline | None = None,
    assume: str | None = None,
    keep_input_initializers: bool = False,
    **options: Any,
) -> RunResult:
    """Rewrite ``model`` for ``march``.

    Args:
        model: path, file content, ModelProto or Model; never changed.
        march: name, board alias, path of a march file, or a loaded Target.
        pipeline: the default one of the march when None.
        assume: march whose limits stand in for unknown ones.
        keep_input_initializers: leave initializers among the graph inputs.
        options: the fields of :class:`Options`: ``verify`` ("each": after every pass; "end": once, dropping passes
            that are found guilty; "off"), ``inputs`` (npz, folder or arrays by name), ``samples``, ``seed``,
            ``input_shapes``, ``input_ranges``, ``budget``, ``protect`` (regular expression of node names),
            ``evaluate`` (called with a runner before and after), ``trace``, ``progress``, ``prefixes`` (shared by runs
            that differ in their pipelines alone).

    Raises:
        InputError, ModelError: something given cannot be used.
        WeightsMissing: the external data of the model is absent.
    """
    start = time.perf_counter()
    choices = Options(**options)
    if choices.verify not in VERIFY:
        raise unknown("value of verify", choices.verify, VERIFY)
    target = march if isinstance(march, Target) else load_target(march, assume)
    original = Model.load(model, keep_input_initializers=keep_input_initializers)
    chosen = pipeline or Pipeline.default(target.name)
    if missing := original.missing_weights():
        raise WeightsMissing(
            f"the external data of {some(missing)} is missing",
            where=str(original.path or ""),
            hint="put the data file beside the model; check and cost work without it",
        )
    with undisturbed() if choices.verify == "off" else nullcontext():  # sessions are worth collecting
        result = _Run(original, target, chosen, choices).result()
    result.seconds = time.perf_counter() - start
    return result


class _Run:
    def __init__(self, original: Model, target: Target, pipeline: Pipeline, options: Options) -> None:
        self.original, self.target, self.given, self.options = original, target, pipeline, options
        self.budget = {**pipeline.budget, **(options.budget or {})}
        self.protect = _pattern(options.protect)
        if self.budget and options.verify == "off":
            raise InputError("a budget is measured, which verify='off' forbids", where="--budget")
        self.before: State | None = None
        self.start = repr((pipeline.frozen(original.graph), self.budget))
        shared = options.prefixes
        opened = self._opened() if shared is None else shared.opened(self.start, self._opened)
        self.original, self.inputs, self.reasons = opened.original, opened.inputs, opened.reasons
        self.drops, self.verifier = opened.drops, copy(opened.verifier)
        self.pipeline = pipeline.settled(self.inputs.sizes if self.inputs else None)

    def _opened(self) -> Opened:
        """What is there before the first pass."""
        bounds, falls = parted(self.budget)
        reasons: list[str] = []
        inputs = self._inputs(reasons)
        drops = Drops(falls, self.options.evaluate, self.original)
        drift = bounds if self.budget else None
        verifier = Verifier(self.original, inputs, budget=drift, drops=drops) if inputs else None
        return Opened(self.original, inputs, tuple(reasons), drops, verifier)

    def result(self) -> RunResult:
        """Run the passes and put everything together."""
        manager = self._at_end() if self.options.verify == "end" else self._passes(self.pipeline, self.verifier)
        before = self.before or state_of(place_as_seen(self._at_its_sizes(), self.target))
        after = manager.seen or state_of(place(manager.model, self.target))
        metrics = self._metrics(manager)
        plan, plan_reason = self._plan(manager)
        return RunResult(
            model=manager.model,
            original=self.original,
            target=self.target,
            before=before,
            after=after,
            speedup=compare(before, after),
            passes=manager.results,
            pipeline=self.pipeline,
            verify=self.options.verify,
            verified=self._verified(),
            reasons=[*self.reasons, *(self.verifier.reasons if self.verifier else ())],
            inputs=self.inputs,
            drift=self._drift(),
            io=manager.io,
            metrics=metrics,
            plan=plan,
            plan_reason=plan_reason,
            budget=self.budget,
            exceeded=self._exceeded(metrics),
        )

    def _exceeded(self, metrics: Metrics | None) -> list[str]:
        """Bounds of the budget that the whole is over."""
        drift = self.verifier.exceeded() if self.verifier else []
        return drift if metrics is None else [*drift, *self.drops.breaches(metrics[1])]

    def _plan(self, manager: Manager) -> tuple[Plan | None, str]:
        """What stays of the weights of the original; None where all do, or for the reason given."""
        thinned = [layer for result in manager.results for layer in result.thinned]
        if not thinned:
            return None, ""
        try:
            return plan_for(folded(self.original), thinned), ""
        except InputError as error:
            return None, error.what

    def _at_its_sizes(self) -> Model:
        """The original, at the sizes that the pipeline gives its inputs."""
        sizes = self.pipeline.frozen(self.original.graph)
        return self.original if sizes is None else frozen(self.original, sizes)

    def _verified(self) -> str:
        if self.options.verify == "off":
            return "off"
        return self.verifier.verified if self.verifier else "none"

    def _inputs(self, reasons: list[str]) -> InputSet | None:
        """What to verify on; None when nothing is to be verified, or no inputs can be made."""
        options, frozen = self.options, self.given.frozen(self.original.graph)
        if options.verify == "off":
            return None
        try:
            return make_inputs(
                self.original,
                samples=options.samples,
                seed=options.seed,
                given=options.inputs,
                shapes={**(options.input_shapes or {}), **(frozen or {})},
                ranges=options.input_ranges,
                frozen=frozen is not None,
            )
        except SessionError as error:
            reasons.append(error.what)
            return None

    def _passes(self, pipeline: Pipeline, verifier: Verifier | None) -> Manager:
        samples = self.inputs.samples if self.inputs else ()
        copied, trace = self.original.copy(), self.options.trace
        manager = Manager(copied, self.target, verifier, self.protect, trace=trace, samples=samples)
        self._resume(manager, pipeline)
        steps, done = [(s.id, s.step) for s in pipeline.steps], len(manager.results)
        manager.run(steps, self.options.progress, after=self._after(manager, pipeline), start=done)
        return manager

    def _resume(self, manager: Manager, pipeline: Pipeline) -> None:
        """Go on from where another run has been, if there is one."""
        shared = self.options.prefixes
        if shared is None or (known := shared.longest(self.start, pipeline.steps)) is None:
            return
        known.resume(manager)
        self.before, self.verifier = known.before, manager.verifier or self.verifier

    def _after(self, manager: Manager, pipeline: Pipeline) -> Callable[[PassResult], None]:
        """Notes how the toolchain sees the original: as it is after the folding that it begins with, too."""

        def note(result: PassResult) -> None:
            first = all(r.name == FREEZING or r.status is not Status.APPLIED for r in manager.results[:-1])
            if self.before is None and result.name == FOLDING and first:
                same = all(r.status is not Status.APPLIED for r in manager.results)
                twin = self.original if same else manager.model.copy()
                self.before = state_of(place_as_seen(self.original, self.target, twin))
            if self.options.prefixes is not None:
                done = pipeline.steps[: len(manager.results)]
                self.options.prefixes.keep(self.start, done, manager, self.original, self.before)

        return note

    def _at_end(self) -> Manager:
        """Verify once; while that fails, find the guilty pass and run again without it."""
        pipeline, dropped = self.pipeline, list[Guilty]()
        while True:
            manager = self._passes(pipeline, None)
            if self.verifier is None or self.inputs is None:
                return manager
            step = self.verifier.check(manager.whole(), promise(manager))
            if step.ok:
                self.verifier.accept(step)
                manager.results += [_dropped(g, self.pipeline, self.target) for g in dropped]
                return manager
            guilty = Bisector(self.original, pipeline, self.target, self.inputs).first()
            if guilty is None:
                raise DefectError(f"the whole breaks the numbers, no pass alone does: {step.reason}")
            dropped.append(guilty)
            pipeline = pipeline.skipping([guilty.name])

    def _drift(self) -> Drift | None:
        if self.verifier is None or self.inputs is None or self.verifier.verified == "none":
            return None
        return Drift(len(self.inputs.samples), self.verifier.drift)

    def _metrics(self, manager: Manager) -> Metrics | None:
        if self.options.evaluate is None:
            return None
        return dict(self.drops.before), dict(self.drops.measured(manager.whole()))


def _dropped(guilty: Guilty, pipeline: Pipeline, target: Target) -> PassResult:
    step = next(s.step for s in pipeline.steps if s.id == guilty.name)
    purposes, exactness = tuple(step.purposes(target)), step.exactness(target)
    return PassResult(guilty.name, purposes, exactness, Status.ROLLED_BACK, guilty.matches, reason=guilty.reason)


def promise(manager: Manager) -> str:
    """The weakest promise among the applied passes."""
    return weakest([r.exactness for r in manager.results if r.status is Status.APPLIED]).value


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise InputError(f"not a regular expression: {error}", where=f"--protect {text}") from error
