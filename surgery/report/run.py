"""``surgery.run/1``: the main job, with all that a replay needs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from surgery.report.base import Document, ModelRef, Number, Part, Scalar, Span, Text, renamed, schema
from surgery.report.check import Refusal, Summary, Violation
from surgery.report.diff import DiffDocument

Status = Literal["applied", "unchanged", "refused", "not-kept", "rolled-back", "failed"]


class Side(Summary):
    """The model before or after: the summary of ``check`` and its two times (None without coefficients)."""

    accepted: bool
    refusals: tuple[Refusal, ...] = ()
    bpu_ms: Span | None
    latency_ms: Span | None


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


class Edit(Part):
    """A name that changed: node or value, the old and the new one (None when added or removed), by which pass."""

    kind: str
    old: Text | None
    new: Text | None
    by: str = renamed("pass")


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
    march: str
    output: ModelRef | None = None
    before: Side
    after: Side
    speedup: Span | None
    speedup_reason: str = ""
    passes: tuple[PassRow, ...]
    verified: Literal["full", "partial", "none", "off"]
    verified_reason: Text = ""
    drift: DiffDocument | None
    edits: tuple[Edit, ...] = ()
    io: Interface
    normalised: tuple[Text, ...] = ()
    violations: tuple[Left, ...] = ()
    accuracy: Accuracy | None = None
    seconds: float = 0.0
    replay: dict[str, Any] = Field(default_factory=dict)
