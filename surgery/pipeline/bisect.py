"""Which pass, and which match of it, first breaks the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from surgery.drift.inputs import InputSet
from surgery.drift.verifier import Step, Verifier
from surgery.ir import Model
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import Pipeline
from surgery.pipeline.result import PassResult, Status
from surgery.rewrite.rewriter import Change
from surgery.target import Target


@dataclass(frozen=True)
class Guilty:
    """The first thing that breaks a promise.

    Attributes:
        name: id of the pass.
        index: its place in the pipeline, from 0.
        reason: how far the numbers moved, or what broke.
        matches: how many matches the pass applied.
        match: number of the first bad match, from 1; None when the pass fails as a whole.
        change: the rule and the nodes of that match.
    """

    name: str
    index: int
    reason: str
    matches: int = 0
    match: int | None = None
    change: Change | None = None


class Bisector:
    """Runs prefixes of a pipeline without rolling anything back, and judges them.

    Args:
        original: never changed.
        inputs: what to judge on.
        progress: called with a word on each trial.
    """

    def __init__(
        self,
        original: Model,
        pipeline: Pipeline,
        target: Target | None,
        inputs: InputSet,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.original, self.pipeline, self.target, self.inputs = original, pipeline, target, inputs
        self.progress = progress or (lambda _: None)

    def first(self) -> Guilty | None:
        """The first pass that breaks its promise, with its first bad match; None when all keep theirs."""
        verifier = Verifier(self.original, self.inputs)
        manager = Manager(self.original.copy(), self.target, samples=self.inputs.samples)
        for index, step in enumerate(self.pipeline.steps):
            self.progress(step.id)
            result = manager.run([(step.id, step.step)])[-1]
            if result.status is Status.FAILED:
                return Guilty(step.id, index, result.reason)
            judged = self._judge(verifier, manager, result)
            if judged is not None and not judged.ok:
                return self._match(verifier, index, result, judged.reason)
            if judged is not None:
                verifier.accept(judged)
        return None

    def _judge(self, verifier: Verifier, manager: Manager, result: PassResult) -> Step | None:
        if result.status is not Status.APPLIED:
            return None
        return verifier.check(manager.whole(), result.exactness.value)

    def _match(self, verifier: Verifier, index: int, result: PassResult, reason: str) -> Guilty:
        """Search the smallest number of matches after which the numbers are wrong."""
        good, bad = 0, result.applied
        while bad - good > 1:
            middle = (good + bad) // 2
            self.progress(f"{result.name}: {middle} of {result.applied} matches")
            judged = self._judge(verifier, *self._limited(index, middle))
            if judged is None or judged.ok:
                good = middle
            else:
                bad, reason = middle, judged.reason
        _, last = self._limited(index, bad)
        change = last.edits[bad - 1].change if len(last.edits) >= bad > 0 else None
        return Guilty(result.name, index, reason, result.applied, bad if change else None, change)

    def _limited(self, index: int, limit: int) -> tuple[Manager, PassResult]:
        manager = Manager(self.original.copy(), self.target, samples=self.inputs.samples)
        steps = [(s.id, s.step) for s in self.pipeline.steps[: index + 1]]
        return manager, manager.run(steps, limits={steps[-1][0]: limit})[-1]
