"""``surgery.run/1``: the main job, with all that a replay needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from surgery.report.base import Document, InputShape, ModelRef, Number, Part, Scalar, Span, Text, renamed, schema
from surgery.report.check import Cures, Refusal, Summary, Violation, refusal, violations
from surgery.report.diff import DiffDocument, diff_document
from surgery.report.log import LogPart
from surgery.report.witness import WitnessRun

if TYPE_CHECKING:
    from surgery.channels import Kept
    from surgery.ir import Tensor
    from surgery.pipeline import result as ran
    from surgery.pipeline.state import State
    from surgery.target import Row

Kind = Literal["replaced", "removed", "added", "changed"]
Status = Literal["applied", "unchanged", "refused", "not-kept", "rolled-back", "failed"]


Verified = Literal["full", "partial", "none", "off"]


class Side(Summary):
    """The model before or after: the summary of ``check`` and its two times (None without coefficients)."""

    accepted: bool
    refusals: tuple[Refusal, ...] = ()
    bpu_ms: Span | None
    latency_ms: Span | None


class Bound(Part):
    """The bound of rounding of an output whose own noise is above the usual one; None when the noise has none.

    ``bound`` is over the scale of a channel, ``channels`` how many are concerned; of integers, mismatches allowed.
    """

    output: Text
    bound: Number
    channels: int


class PassRow(Part):
    """What one pass did; ``drift_step`` against the step before, ``drift_total`` against the original."""

    name: str
    purpose: str
    exactness: str
    matched: int
    applied: int
    refused: int
    seconds: float
    status: Status
    reason: Text = ""
    drift_step: Number = None
    drift_total: Number = None
    widened: tuple[Bound, ...] = ()


class Edit(Part):
    """One applied match: the nodes that left and came, by the rule of the pass."""

    kind: Kind
    old: tuple[Text, ...]
    new: tuple[Text, ...]
    by: str = renamed("pass")
    rule: str = ""


class Port(Part):
    """A graph input or output of the rewritten model; a dim that is not a number is its name, or None."""

    name: Text
    dtype: str
    shape: tuple[Scalar, ...] | None


class Interface(Part):
    """What happened to inputs and outputs: nodes taken off the graph, and the ports that are left."""

    removed: tuple[Text, ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    changed: bool = False


class QuantScale(Part):
    """How a tensor of the original was quantised: ``(q - zero_points) * scales``, per ``axis`` where there are more."""

    tensor: Text
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None


class ThinnedWeight(Part):
    """A weight of the original that has fewer channels: its shapes before and after (see ``surgery.plan/1``)."""

    weight: Text
    node: Text = ""
    before: tuple[int, ...]
    after: tuple[int, ...]


class Left(Violation):
    """A violation that is still there, with the node it is in."""

    node: Text
    op: Text


class Accuracy(Part):
    """What the user's evaluator said of the model before and after, by metric."""

    evaluator: str
    before: dict[str, Number]
    after: dict[str, Number]


class RunDocument(Document):
    """One run of a pipeline over a model for a march."""

    kind: Literal["surgery.run/1"] = schema("surgery.run/1")
    model: ModelRef
    input_shape: InputShape = Field(default_factory=dict)
    march: str
    output: Text | None = None
    host_code: tuple[Text, ...] = ()
    before: Side
    after: Side
    speedup: Span | None
    speedup_reason: str = ""
    passes: tuple[PassRow, ...]
    verified: Verified
    verified_reason: Text = ""
    drift: DiffDocument | None
    edits: tuple[Edit, ...] = ()
    scales: tuple[QuantScale, ...] = ()
    thinned: tuple[ThinnedWeight, ...] = ()
    plan_reason: Text = ""
    io: Interface
    normalised: tuple[Text, ...] = ()
    violations: tuple[Left, ...] = ()
    accuracy: Accuracy | None = None
    exceeded: tuple[Text, ...] = ()
    seconds: float = 0.0
    witness: WitnessRun | None = None
    run_on_bpu: tuple[Text, ...] = ()
    log: LogPart | None = None
    replay: dict[str, Any] = Field(default_factory=dict)


def run_document(
    result: ran.RunResult, *, evaluator: str = "", cures: Cures | None = None, replay: dict[str, Any] | None = None
) -> RunDocument:
    """The document of a run.

    Args:
        result: what the pipeline returned.
        evaluator: the name of what measured ``result.metrics``.
        cures: passes that would cure what is left, by node name and limit.
        replay: settings, seed and versions: what a replay needs.
    """
    return RunDocument(
        model=ModelRef.of(result.original),
        march=result.target.name,
        before=_side(result.before),
        after=_side(result.after, cures),
        speedup=Span.of(result.speedup.interval) if result.speedup.interval else None,
        speedup_reason=result.speedup.reason,
        passes=tuple(map(_pass, result.passes)),
        verified=cast(Verified, result.verified),
        verified_reason="; ".join(result.reasons),
        drift=_drift(result),
        edits=tuple(map(_edit, result.edits)),
        scales=tuple(QuantScale(**asdict(scale)) for done in result.passes for scale in done.scales),
        thinned=tuple(map(_thinned, result.plan.weights if result.plan else ())),
        plan_reason=result.plan_reason,
        io=_interface(result),
        normalised=tuple(result.original.normalised),
        violations=tuple(left for row in result.after.placement.rows for left in _left(row, cures or {})),
        accuracy=_accuracy(result, evaluator),
        exceeded=tuple(result.exceeded),
        seconds=result.seconds,
        replay=replay or {},
    )


def _side(state: State, cures: Cures | None = None) -> Side:
    estimate = state.estimate
    return Side.model_validate(
        {
            **state.placement.summary().as_dict(),
            "accepted": state.placement.accepted,
            "refusals": [refusal(found, cures or {}) for found in state.placement.refusals],
            "bpu_ms": Span.of(estimate.bpu_ms) if estimate else None,
            "latency_ms": Span.of(estimate.latency_ms) if estimate else None,
        }
    )


def _pass(result: ran.PassResult) -> PassRow:
    return PassRow(
        name=result.name,
        purpose=", ".join(result.purposes),
        exactness=result.exactness,
        matched=result.matched,
        applied=result.applied,
        refused=result.refused,
        seconds=result.seconds,
        status=result.status.value,
        reason=result.reason,
        drift_step=result.drift_step,
        drift_total=result.drift_total,
        widened=tuple(Bound(output=w.output, bound=w.bound, channels=w.channels) for w in result.widened),
    )


def _drift(result: ran.RunResult) -> DiffDocument | None:
    if result.drift is None:
        return None
    said = result.inputs.description if result.inputs else ""
    return diff_document(result.original, result.model, result.drift, said)


def _edit(edit: ran.Edit) -> Edit:
    change = edit.change
    return Edit(kind=cast(Kind, edit.kind), old=change.old, new=change.new, by=edit.by, rule=change.rule)


def _thinned(kept: Kept) -> ThinnedWeight:
    return ThinnedWeight(weight=kept.name, node=kept.node, before=kept.shape, after=kept.thin_shape)


def _interface(result: ran.RunResult) -> Interface:
    before, after = (
        [tuple(map(_port, ends)) for ends in (m.graph.inputs, m.graph.outputs)] for m in (result.original, result.model)
    )
    return Interface(
        removed=result.io.removed if result.io else (), inputs=after[0], outputs=after[1], changed=before != after
    )


def _port(tensor: Tensor) -> Port:
    dtype = "unknown" if tensor.dtype is None else str(tensor.dtype)
    return Port(name=tensor.name, dtype=dtype, shape=tensor.shape)


def _left(row: Row, cures: Cures) -> list[Left]:
    return [Left.model_validate({**v, "node": row.node.name, "op": row.node.op}) for v in violations(row, cures)]


def _accuracy(result: ran.RunResult, evaluator: str) -> Accuracy | None:
    if result.metrics is None:
        return None
    before, after = result.metrics
    return Accuracy(evaluator=evaluator, before={**before}, after={**after})
