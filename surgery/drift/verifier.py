"""The judge of a run: holds what the original computed and says of each rewritten model whether it still does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from surgery.drift.drops import Drops
from surgery.drift.inputs import InputSet, Sample
from surgery.drift.judge import Verdict, check_budget, judge
from surgery.drift.metrics import Array, OutputDrift, Tally, compare, count_mismatches, is_float
from surgery.drift.noise import one_ulp
from surgery.drift.runner import Runner, open_runner
from surgery.ir.session import SessionError, open_file

if TYPE_CHECKING:
    from surgery.ir.model import Model

Runs: TypeAlias = "Sequence[Mapping[str, Array]]"

_NOTHING = Verdict(True, "", None, 0.0)


@dataclass(frozen=True)
class Step:
    """What became of the numbers in one step.

    Attributes:
        ok: the promise was kept, or nothing could be verified.
        reason: why not; "" when ok.
        step: against the previous accepted step.
        total: against the original.
        drift_step: largest difference of any channel over its scale, against the previous step; None when not run.
        drift_total: the same against the original.
        outputs: the candidate's outputs, by sample.
    """

    ok: bool
    reason: str
    step: Verdict
    total: Verdict
    drift_step: float | None
    drift_total: float | None
    exactness: str
    outputs: Runs


class Verifier:
    """Runs the original once, then judges candidates against it and against the last accepted one.

    Args:
        original: copied (weights shared), so it may be edited afterwards. The reference is its file as it is, where
            there is one that onnxruntime loads.
        inputs: samples that fit the original.
        budget: bounds on drift for approximate steps, and for the total once one was accepted.
        drops: bounds on what the user's own measure loses, for the same.

    Attributes:
        verified: ``full``, ``partial`` (``reasons`` say what is left out) or ``none``.
        reasons: what keeps the verification from being full, a sentence each.
        reference: outputs of the original, by sample.

    Raises:
        InputError: a metric in the budget that nobody knows; WeightsMissing: the data of the original is absent.
    """

    def __init__(
        self,
        original: Model,
        inputs: InputSet,
        *,
        budget: Mapping[str, float] | None = None,
        drops: Drops | None = None,
    ) -> None:
        check_budget(budget or {})
        self._original, self._budget, self._inputs = original.copy(), budget, inputs
        self._drops = drops
        self._approximate = False
        self._random: frozenset[str] = frozenset()
        self._unsupported: frozenset[str] = frozenset()
        self._samples: list[Sample] = list(inputs.samples)
        self.verified, self.reasons = "full", list[str]()
        self.reference: list[Mapping[str, Array]] = []
        self._previous: Runs = []
        try:
            self._open()
        except SessionError as error:
            self._lower("none", error.what)

    def check(self, candidate: Model, exactness: str) -> Step:
        """Judge ``candidate``, which claims to differ from the last accepted step by ``exactness`` at most.

        A candidate that onnxruntime refuses is a broken promise, not an error.
        """
        if self.verified == "none":
            return Step(True, "", _NOTHING, _NOTHING, None, None, exactness, [])
        try:
            runner = open_runner(candidate)
            if new := runner.unsupported - self._unsupported:
                return _broken(f"onnxruntime has no {', '.join(sorted(new))}", exactness)
            outputs = [self._known(runner.run(sample)) for sample in self._samples]
        except SessionError as error:
            return _broken(error.what, exactness)
        step = self._judge(outputs, exactness)
        approximate = self._approximate or exactness == "approximate"
        fell = self._drops.breach(candidate) if self._drops and step.ok and approximate else ""
        return replace(step, ok=False, reason=fell) if fell else step

    def accept(self, step: Step) -> None:
        """Make ``step`` the one that the next is compared with."""
        self._previous = step.outputs or self._previous
        self._approximate |= step.exactness == "approximate"

    @property
    def held(self) -> int:
        """Bytes of the outputs of the last accepted step."""
        return sum(array.nbytes for outputs in self._previous for array in outputs.values())

    @property
    def drift(self) -> list[OutputDrift]:
        """The outputs of the last accepted step against the original's; empty when nothing was run."""
        return [tally.drift() for tally in self._compare(self.reference, self._previous).values()]

    def exceeded(self) -> list[str]:
        """Which outputs of the last accepted step are over the budget, a sentence each; none without a budget."""
        if self._budget is None:
            return []
        tallies = self._compare(self.reference, self._previous)
        verdicts = (judge("approximate", {name: tally}, budget=self._budget) for name, tally in tallies.items())
        return [verdict.reason for verdict in verdicts if not verdict.ok]

    @cached_property
    def noise(self) -> dict[str, Tally]:
        """What one ulp on every weight does to the original's outputs; empty when that model does not run."""
        try:
            runner = open_runner(self._original, perturb=one_ulp(self._original, self._inputs.seed))
            runs = [self._known(runner.run(sample)) for sample in self._samples]
        except SessionError:  # a weight that steers control flow or shapes: no widening then, the stricter side
            return {}
        return self._compare(self._base, runs)

    def _judge(self, outputs: list[Mapping[str, Array]], exactness: str) -> Step:
        tallies_step = self._compare(self._previous, outputs)
        tallies_total = self._compare(self.reference, outputs)
        noise = {} if exactness == "exact" else self.noise
        approximate = self._approximate or exactness == "approximate"
        step = _NOTHING if exactness == "approximate" else judge(exactness, tallies_step, noise)
        total = _NOTHING
        if approximate:
            total = judge("approximate", tallies_total, budget=self._budget)
        elif exactness != "exact":
            total = judge("rounding", tallies_total, noise)
        reason = step.reason or (total.reason and f"{total.reason} (against the original)")
        worst = [max((t.drift().worst_rel for t in ts.values()), default=0.0) for ts in (tallies_step, tallies_total)]
        return Step(step.ok and total.ok, reason, step, total, worst[0], worst[1], exactness, outputs)

    def _open(self) -> None:
        """Run the original: as loaded (the first step's base), and its file as it is (the reference)."""
        runner = open_runner(self._original)
        self._unsupported = runner.unsupported
        self._base: list[Mapping[str, Array]] = [runner.run(sample) for sample in self._samples]
        self._add_extra(runner)
        self._drop_random(runner)
        self._base = [self._known(outputs) for outputs in self._base]
        self._previous = self._base
        self.reference = self._as_given(runner) or self._base
        if runner.unsupported:
            self._lower("partial", f"onnxruntime has no {', '.join(sorted(runner.unsupported))}")
        self._note_empty()

    def _add_extra(self, runner: Runner) -> None:
        for sample in self._inputs.extra:
            try:
                self._base.append(runner.run(sample))
                self._samples.append(sample)
            except SessionError:
                sizes = ", ".join(f"{n} {'x'.join(map(str, a.shape))}" for n, a in sample.items())
                self._inputs.notes.append(f"the original does not run at {sizes}: not checked there")

    def _drop_random(self, runner: Runner) -> None:
        again = runner.run(self._samples[0])
        self._random = frozenset(n for n, a in self._base[0].items() if n not in again or not _same(a, again[n]))
        if self._random:
            self._lower("partial", f"random, not comparable: {', '.join(sorted(self._random))}")

    def _as_given(self, runner: Runner) -> list[Mapping[str, Array]]:
        path = self._original.path
        if path is None or runner.unsupported:
            return []
        try:
            session = open_file(path)
            outputs = [self._known(session.run(sample)) for sample in self._samples]
        except SessionError as error:
            self._inputs.notes.append(f"the file as given does not run, what was loaded is compared: {error.what}")
            return []
        verdict = judge("rounding", compare(zip(outputs, self._base, strict=True)), None)
        if not verdict.ok:
            self._lower("partial", f"loading already changed the numbers: {verdict.reason}")
        return outputs

    def _note_empty(self) -> None:
        names = dict.fromkeys(n for outputs in self.reference for n in outputs)
        void = [n for n in names if all(_is_void(o[n]) for o in self.reference if n in o)]
        if void:
            self._lower("partial", f"NaN or infinite everywhere: {', '.join(void)}")
        if not names:
            self._lower("none", "no output could be compared")

    def _known(self, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """``outputs`` without the random ones."""
        return {n: v for n, v in outputs.items() if n not in self._random}

    def _compare(self, left: Runs, right: Runs) -> dict[str, Tally]:
        """Tallies of all values; of those both have, where operators are left out and with them what feeds them."""
        pairs = zip(left, right, strict=True)
        if not self._unsupported:
            return compare(pairs)
        return compare(({n: a[n] for n in a if n in b}, {n: b[n] for n in b if n in a}) for a, b in pairs)

    def _lower(self, verified: str, reason: str) -> None:
        self.verified = "none" if "none" in (verified, self.verified) else verified
        self.reasons.append(reason)


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and count_mismatches(a, b) == 0


def _is_void(array: Array) -> bool:
    return is_float(array) and array.size > 0 and not np.isfinite(array).any()


def _broken(reason: str, exactness: str) -> Step:
    verdict = Verdict(False, reason, None, 0.0)
    return Step(False, reason, verdict, verdict, None, None, exactness, [])
