"""``surgery.check/1``: where every node runs, which limits it breaks, what cures it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surgery.report.base import Document, InputShape, ModelRef, Number, Part, Scalar, Text, schema
from surgery.report.log import LogPart
from surgery.report.witness import WitnessCheck

if TYPE_CHECKING:
    from surgery import target
    from surgery.ir import Model

Cures = Mapping[tuple[str, str], tuple[str, ...]]
"""Passes by node name and limit; the name is empty for rules about whole models."""
Device = Literal["bpu", "cpu", "folded", "refused", "unknown"]


class Violation(Part):
    """One limit of the march that a node breaks.

    ``text`` is the rule in general form, ``evidence`` how it is known, ``cured_by`` the passes whose rules match.
    """

    constraint: str
    found: Scalar
    allowed: Scalar
    cured_by: tuple[str, ...] = ()
    source: str = ""
    text: str = ""
    evidence: str = ""


class Refusal(Part):
    """A reason why the toolchain would not take the model at all; ``text`` is the rule in general form."""

    rule: str
    found: Scalar
    allowed: Scalar
    source: str
    cured_by: tuple[str, ...] = ()
    text: str = ""
    evidence: str = ""


class Summary(Part):
    """Nodes by device, BPU segments, multiply-accumulates and the share of them on the BPU."""

    nodes: int
    bpu: int
    cpu: int
    folded: int
    refused: int = 0
    unknown: int
    segments: int
    macs: int
    mac_coverage: Number


class NodeRow(Part):
    """One node: its device, BPU segment, why it is there, and its violations; ``from_log``: the vendor's log tells."""

    name: Text
    op: Text
    device: Device
    segment: int | None
    note: Text = ""
    violations: tuple[Violation, ...] = ()
    from_log: bool = False


class CheckDocument(Document):
    """The placement of a model on a march.

    ``witness`` is what the vendor's own toolchain says, if it was asked, ``log`` what a log of it has changed.
    """

    kind: Literal["surgery.check/1"] = schema("surgery.check/1")
    model: ModelRef
    input_shape: InputShape = Field(default_factory=dict)
    march: str
    accepted: bool
    refusals: tuple[Refusal, ...]
    summary: Summary
    nodes: tuple[NodeRow, ...]
    witness: WitnessCheck | None = None
    log: LogPart | None = None

    @property
    def cpu_nodes(self) -> tuple[NodeRow, ...]:
        """The nodes that run on the CPU."""
        return self.on("cpu")

    def on(self, device: Device) -> tuple[NodeRow, ...]:
        """The nodes placed on ``device``."""
        return tuple(row for row in self.nodes if row.device == device)


def check_document(model: Model, placement: target.Placement, cures: Cures | None = None) -> CheckDocument:
    """The document of a placement; ``cures`` are the passes that cure a limit of a node, by node name and limit."""
    return CheckDocument(
        model=ModelRef.of(model),
        march=placement.target.name,
        accepted=placement.accepted,
        refusals=tuple(refusal(found, cures or {}) for found in placement.refusals),
        summary=Summary.model_validate(placement.summary().as_dict()),
        nodes=tuple(_row(row, cures or {}) for row in placement.rows),
    )


def refusal(found: target.Refusal, cures: Cures) -> Refusal:
    """A reason why the toolchain would not take the model."""
    return Refusal(
        rule=found.rule,
        found=found.found,
        allowed=found.allowed,
        source=found.source,
        cured_by=cures.get(("", found.rule), found.cured_by),
        text=found.text,
        evidence=found.evidence,
    )


def violations(row: target.Row, cures: Cures) -> Iterable[dict[str, object]]:
    """The fields of :class:`Violation` of each limit that a node breaks."""
    for found in row.verdict.violations:
        by = cures.get((row.node.name, found.constraint), found.cured_by)
        fields = {name: getattr(found, name) for name in Violation.model_fields}
        yield {**fields, "cured_by": by}


def _row(row: target.Row, cures: Cures) -> NodeRow:
    why = [row.note, *row.verdict.reasons]
    return NodeRow(
        name=row.node.name,
        op=row.node.op,
        device=row.device,
        segment=row.segment,
        note="; ".join(filter(None, why)),
        violations=tuple(Violation.model_validate(fields) for fields in violations(row, cures)),
    )
