"""Runs passes one after the other, and keeps of each only what holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from surgery.drift.metrics import Array
from surgery.drift.verifier import Step, Verifier
from surgery.errors import DefectError, ModelError
from surgery.ir import Model, Tensor
from surgery.ir.collector import undisturbed
from surgery.ir.edit import Editor
from surgery.ir.graph import Shape
from surgery.ir.infer import dims, sharpens
from surgery.ir.settled import is_settled
from surgery.pipeline.context import PassContext
from surgery.pipeline.iomap import IoMap
from surgery.pipeline.passes import Outcome, Pass, PassRun
from surgery.pipeline.policy import ByPurpose
from surgery.pipeline.result import Edit, PassResult, Status
from surgery.pipeline.state import State
from surgery.rewrite import Diverged, Purpose, Rewriter, Rule
from surgery.target import Target

if TYPE_CHECKING:
    import onnx

Interface = list[tuple[str, str, "Shape | None"]]
T = TypeVar("T")


@dataclass
class Manager:
    """Applies passes to one model in place.

    Attributes:
        model: rewritten in place.
        target: the march, None to run without one.
        verifier: judges every pass that changed something; None to verify nothing here.
        trace: keep an event per attempt of a rule.
        samples: for passes that measure: what the model computes on them.
        io: how the interface moved so far.
        seen: the model as the march sees it now, where that is known.
        looked_ahead: a pass tried rules of later ones, so that what it did depends on what follows.
        draft: the model is looked at and never written: what passes make of it need not pass onnx.checker.
    """

    model: Model
    target: Target | None = None
    verifier: Verifier | None = None
    protect: Any = None
    trace: bool = False
    samples: Sequence[Mapping[str, Array]] = ()
    io: IoMap | None = None
    seen: State | None = None
    looked_ahead: bool = False
    draft: bool = False
    results: list[PassResult] = field(default_factory=list)

    def run(
        self,
        steps: Sequence[tuple[str, Pass]],
        progress: Callable[[str], None] | None = None,
        limits: dict[str, int] | None = None,
        after: Callable[[PassResult], None] | None = None,
        start: int = 0,
    ) -> list[PassResult]:
        """Run ``steps`` (id and pass) in order.

        Args:
            progress: called with the id of each pass before it runs.
            limits: most applied matches, by id (for bisecting).
            after: called with each result, when the model is what the next pass will see.
            start: how many of the steps were done before.
        """
        legalisers = [self._legalisers(step) for _, step in steps]
        for index, (name, step) in list(enumerate(steps))[start:]:
            if progress is not None:
                progress(name)
            later = [rule for rules in legalisers[index:] for rule in rules]
            self.results.append(_PassRunner(self, name, step, later, (limits or {}).get(name)).run())
            if after is not None:
                after(self.results[-1])
        return self.results

    def tried(self, name: str, step: Pass, ask: Callable[[Model], T]) -> T:
        """What ``ask`` says of the model as one pass writes it, which is taken back and judged by nothing else."""
        runner = _PassRunner(self, name, step, self._legalisers(step), None)
        try:
            runner.rewrite()
        except Diverged:
            runner.editor.rollback()
        try:
            return ask(self.model)
        finally:
            runner.editor.rollback()

    def _legalisers(self, step: Pass) -> list[Rule[Any]]:
        return [rule for rule in step.rules(self.target) if rule.purpose is Purpose.LEGALISE]

    def whole(self, io: IoMap | None = None) -> Model:
        """The model with its original interface: composed with what moved to the host."""
        io = io or self.io
        return self.model if io is None else io.compose(self.model)


class _PassRunner:
    """One pass: rewrite, infer, check, verify; and undo it when any of these says so."""

    def __init__(self, manager: Manager, name: str, step: Pass, later: list[Rule[Any]], limit: int | None) -> None:
        self.manager, self.name, self.step, self.limit = manager, name, step, limit
        self.model, self.editor = manager.model, Editor()
        self.ctx = PassContext(manager.model, manager.target, manager.protect, manager.seen, manager.samples)
        self.policy = ByPurpose(self.ctx, later)
        self.opset, self.frame = manager.model.opset, _frame(manager.model)
        self.start = time.perf_counter()
        self.after: State | None = None

    def run(self) -> PassResult:
        """The result; the model is changed only when its status is applied."""
        face = _interface(self.model)
        try:
            outcome = self.rewrite()
        except Diverged as error:
            return self._undo(Status.FAILED, Outcome(), str(error))
        mark = self.editor.mark()
        try:
            io = self._io(outcome)
        except ModelError as error:
            return self._undo(Status.FAILED, outcome, str(error))
        if not mark:
            self.manager.io = io
            return self._nothing(outcome)
        frozen = io is not None and io.frozen
        try:
            self._hold(frozen, outcome.inferred)
        except (DefectError, ModelError) as error:
            return self._undo(Status.FAILED, outcome, str(error))
        if outcome.io is None and (moved := _moved(face, _interface(self.model), frozen)):
            return self._undo(Status.FAILED, outcome, f"changed the interface: {moved}")
        self.after = self.policy.now if self.editor.mark() == mark else None
        return self._verify(outcome, io)

    def _hold(self, frozen: bool, inferred: onnx.ModelProto | None) -> None:
        """Infer and check what came out; raises DefectError or ModelError. Only what changed, where that will do."""
        model, changed = self.model, self.editor.changed
        same = all(a is b for a, b in zip(self.frame, _frame(model), strict=True))
        if same and not frozen and is_settled(model.graph, changed, self.opset):
            if not self.manager.draft:
                model.check_changed(changed)
            return
        if inferred is None:
            _, inferred = model.inferred(self.editor.retype, sharpen=frozen)
        if not self.manager.draft:
            model.check(inferred)

    @undisturbed()
    def rewrite(self) -> Outcome:
        """Apply the pass; where the whole came out slower than its parts promised, again and match by match."""
        outcome = self._apply()
        if self.editor.mark() and outcome.io is None and self.policy.slower() is not None:
            self.editor.rollback()
            self.policy.restart()
            outcome = self._apply()
        return outcome

    def _apply(self) -> Outcome:
        rw = Rewriter(self.model.graph, self.model.opset, self.editor)
        outcome = self.step.run(
            PassRun(self.model, self.ctx, rw, self.policy, limit=self.limit, trace=self.manager.trace)
        )
        self.editor.settle()
        return outcome

    def _io(self, outcome: Outcome) -> IoMap | None:
        """How the interface moved up to and with this pass."""
        before = self.manager.io
        if before is not None and self.model.opset != self.opset:
            before = before.rewritten(self.opset, self._follow)
        return before.then(outcome.io) if before and outcome.io else outcome.io or before

    def _follow(self, part: Model) -> None:
        """Bring what the host computes to the opset that this pass brought the model to.

        Raises:
            ModelError: an operator there has no form in that opset.
        """
        result = Manager(part, self.manager.target).run([(self.name, self.step)])[-1]
        if part.opset != self.model.opset:
            raise ModelError(f"what moved to the host is not brought to opset {self.model.opset}: {result.reason}")

    def _verify(self, outcome: Outcome, io: IoMap | None) -> PassResult:
        step: Step | None = None
        if self.manager.verifier is not None:
            step = self.manager.verifier.check(self.manager.whole(io), outcome.exactness.value)
            if not step.ok:
                return self._undo(Status.ROLLED_BACK, outcome, step.reason, step)
            self.manager.verifier.accept(step)
        self.manager.io = io
        return self._result(Status.APPLIED, outcome, outcome.note, step)

    def _nothing(self, outcome: Outcome) -> PassResult:
        stats = outcome.stats
        reason = "; ".join(f"{text} ({count})" for text, count in stats.reasons.most_common(3))
        if stats.not_kept:
            return self._result(Status.NOT_KEPT, outcome, reason)
        return self._result(Status.REFUSED if stats.refused else Status.UNCHANGED, outcome, reason)

    def _undo(self, status: Status, outcome: Outcome, reason: str, step: Step | None = None) -> PassResult:
        self.editor.rollback()
        return self._result(status, outcome, reason, step)

    def _result(self, status: Status, outcome: Outcome, reason: str, step: Step | None = None) -> PassResult:
        stats = outcome.stats
        fired = dict.fromkeys(rule.purpose for rule in stats.fired_rules.values())
        applied = status is Status.APPLIED
        self.manager.looked_ahead |= self.policy.looked_ahead
        self.manager.seen = self.after if applied else vars(self.ctx).get("at_start", self.manager.seen)
        return PassResult(
            name=self.name,
            purposes=tuple(fired) or tuple(self.step.purposes(self.manager.target)),
            exactness=outcome.exactness if stats.applied else self.step.exactness(self.manager.target),
            status=status,
            matched=stats.matched,
            applied=stats.applied if applied else 0,
            refused=stats.refused,
            seconds=time.perf_counter() - self.start,
            reason=reason,
            drift_step=step.drift_step if step else None,
            drift_total=step.drift_total if step else None,
            widened=step.total.widened if step else (),
            events=tuple(stats.events),
            edits=tuple(Edit(self.name, change) for change in stats.edits) if applied else (),
            scales=outcome.scales if applied else (),
            thinned=outcome.thinned if applied else (),
        )


def _frame(model: Model) -> tuple[object, ...]:
    """What is replaced as a whole where anything but nodes changes."""
    return model.header, model.functions, model.graph.inputs, model.graph.outputs


def _interface(model: Model) -> Interface:
    ends: Sequence[Tensor] = (*model.graph.inputs, *model.graph.outputs)
    return [(t.name, str(t.dtype), t.shape) for t in ends]


def _moved(before: Interface, after: Interface, frozen: bool) -> str:
    """What became of an end that it may not; with ``frozen``, dims that had no number may have one."""
    if len(before) != len(after):
        return f"{len(before)} inputs and outputs became {len(after)}"
    for old, new in zip(before, after, strict=True):
        if old != new and not (frozen and old[:2] == new[:2] and sharpens(old[2], new[2])):
            return f"{_said(*old)} became {_said(*new)}"
    return ""


def _said(name: str, dtype: str, shape: Shape | None) -> str:
    return f"{name} {dtype} {dims(shape)}"
