"""What a run returns: data that reports are views of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from surgery.channels import Plan, Thinned
from surgery.cost import Speedup
from surgery.drift.inputs import InputSet
from surgery.drift.judge import Widened
from surgery.drift.taps import Drift
from surgery.ir import Model
from surgery.pipeline.iomap import IoMap
from surgery.pipeline.passes import Scale
from surgery.pipeline.pipeline import Pipeline
from surgery.pipeline.state import State
from surgery.rewrite import Event, Exactness, Purpose
from surgery.rewrite.rewriter import Change
from surgery.target import Target


class Status(StrEnum):
    """What became of a pass."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    """Nodes of its kind are there, none could be rewritten; the reason is the commonest one."""
    NOT_KEPT = "not-kept"
    """It could have been applied and would not have paid, or would have made something illegal."""
    ROLLED_BACK = "rolled-back"
    """It moved the numbers beyond its promise."""
    FAILED = "failed"
    """It broke the graph, or did not end."""


@dataclass(frozen=True)
class Edit:
    """One applied match of the pass ``by``."""

    by: str
    change: Change

    @property
    def kind(self) -> str:
        """``replaced``, ``removed``, ``added`` or ``changed``."""
        if self.change.old and self.change.new:
            return "replaced"
        return "removed" if self.change.old else "added" if self.change.new else "changed"


@dataclass(frozen=True)
class PassResult:
    """One line of the report.

    Attributes:
        name: id of the pass in the pipeline.
        purposes: of the rules that fired, of all its rules when none did.
        exactness: the weakest promise among the rules that fired.
        matched, applied, refused: numbers of nodes (matches that were not kept count as matched only).
        seconds: time of rewriting, checking and verifying.
        reason: for any status but applied, and the reasons of refusals; of what was applied, what has to be known.
        drift_step, drift_total: largest difference of any output channel over its scale, against the previous
            step and the original; None when nothing was run.
        widened: outputs whose own noise made the bound of rounding wider.
        scales: those that tensors were quantised with before a pass made them float.
        thinned: layers that have fewer channels than before.
    """

    name: str
    purposes: tuple[Purpose, ...]
    exactness: Exactness
    status: Status
    matched: int = 0
    applied: int = 0
    refused: int = 0
    seconds: float = 0.0
    reason: str = ""
    drift_step: float | None = None
    drift_total: float | None = None
    widened: tuple[Widened, ...] = ()
    events: tuple[Event, ...] = ()
    edits: tuple[Edit, ...] = ()
    scales: tuple[Scale, ...] = ()
    thinned: tuple[Thinned, ...] = ()


@dataclass
class RunResult:
    """The rewritten model and the proof of what happened to it.

    Attributes:
        model: the rewritten model. original: as it was loaded.
        target: the march.
        before, after: as the march sees both.
        speedup: of the latency, from the paired change.
        passes: one result per pass, in order.
        verify: ``each``, ``end`` or ``off``.
        verified: ``full``, ``partial``, ``none`` or ``off``; ``reasons`` say why not full.
        inputs: what it was verified on; None with ``verify="off"``.
        drift: outputs of the rewritten model against the original's; None when nothing was run.
        io: how inputs and outputs moved, None when they did not.
        metrics: of the evaluator, before and after; None without one.
        pipeline: as it was run: what the samples decide is decided.
        plan: which indices of the weights of the original stay; None when all do, or ``plan_reason`` says why there is
            none.
        budget: metric bounds given by the user, and which of them are exceeded.
    """

    model: Model
    original: Model
    target: Target
    before: State
    after: State
    speedup: Speedup
    passes: list[PassResult]
    pipeline: Pipeline
    verify: str
    verified: str
    reasons: list[str] = field(default_factory=list)
    inputs: InputSet | None = None
    drift: Drift | None = None
    io: IoMap | None = None
    metrics: tuple[dict[str, float], dict[str, float]] | None = None
    plan: Plan | None = None
    plan_reason: str = ""
    budget: dict[str, float] = field(default_factory=dict)
    exceeded: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def edits(self) -> list[Edit]:
        """Every applied match, in order."""
        return [edit for result in self.passes for edit in result.edits]
