"""``surgery.check/1``: where every node runs, which limits it breaks, what cures it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surgery.report.base import Document, InputShape, ModelRef, Number, Part, Scalar, Text, schema
from surgery.report.convolutions import ConvolutionPart
from surgery.report.log import LogPart
from surgery.report.padding import PaddingNote, padding_notes
from surgery.report.removal import RemovalPart
from surgery.report.text import shorten
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

    def __str__(self) -> str:
        """The limit in a few words, marked where it is borrowed from another march."""
        mark = " (assumed)" if self.evidence == "assumed" else ""
        if self.allowed == "bpu" and self.text:
            return f"{self.constraint}: {self.text}{mark}"
        return f"{self.constraint} is {shorten(str(self.found), 48)}, allowed {self.allowed}{mark}"


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
    """One node: its device, BPU segment, why it is there, its violations, and its multiply-accumulates.

    ``into`` is the device of the node that a folded one goes into; ``assumed`` says that its device rests on limits
    borrowed from another march, ``from_log`` that a log of the vendor's tells it.
    """

    name: Text
    op: Text
    device: Device
    segment: int | None
    note: Text = ""
    violations: tuple[Violation, ...] = ()
    macs: int = 0
    assumed: bool = False
    from_log: bool = False
    into: Device | None = None


class Assumed(Part):
    """The march whose limits stand in for those that are not known, and how many nodes were judged by them."""

    march: str
    nodes: int


class Step(Part):
    """One thing to do: a sentence, the command that does it ("" where no command does), and whom it concerns.

    ``nodes`` counts the nodes of the model, ``macs`` their multiply-accumulates; 0 for rules about whole models.
    """

    text: Text
    command: Text = ""
    nodes: int = 0
    macs: int = 0


class CheckDocument(Document):
    """The placement of a model on a march.

    ``witness`` is what the vendor's own toolchain says, if it was asked, ``log`` what a log of it has changed.
    ``todo`` are the first things to do, the most pressing one first; ``notes`` the layers that the hardware pads by
    much, the largest loss first (no limit is broken); ``assumed`` where limits were borrowed; ``run_on_bpu`` what the
    toolchain is asked to run on the BPU; ``efficiency`` that of the convolutions, where advice on it was asked for;
    ``removal`` what would be taken off the ends, where a preview was.
    """

    kind: Literal["surgery.check/1"] = schema("surgery.check/1")
    model: ModelRef
    input_shape: InputShape = Field(default_factory=dict)
    march: str
    accepted: bool
    refusals: tuple[Refusal, ...]
    summary: Summary
    nodes: tuple[NodeRow, ...]
    todo: tuple[Step, ...] = ()
    notes: tuple[PaddingNote, ...] = ()
    assumed: Assumed | None = None
    run_on_bpu: tuple[Text, ...] = ()
    efficiency: ConvolutionPart | None = None
    removal: RemovalPart | None = None
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
    nodes = tuple(_row(row, placement, cures or {}) for row in placement.rows)
    borrowed = placement.target.assumed
    return CheckDocument(
        model=ModelRef.unread(model),
        march=placement.target.name,
        accepted=placement.accepted,
        refusals=tuple(refusal(found, cures or {}) for found in placement.refusals),
        summary=Summary.model_validate(placement.summary().as_dict()),
        nodes=nodes,
        notes=padding_notes(placement),
        assumed=Assumed(march=borrowed.name, nodes=sum(row.assumed for row in nodes)) if borrowed else None,
        run_on_bpu=placement.target.run_on_bpu,
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


def _row(row: target.Row, placement: target.Placement, cures: Cures) -> NodeRow:
    return NodeRow(
        name=row.node.name,
        op=row.node.op,
        device=row.device,
        segment=row.segment,
        note="; ".join(filter(None, (row.note, *row.verdict.reasons))),
        violations=tuple(Violation.model_validate(fields) for fields in violations(row, cures)),
        macs=placement.macs[row.node],
        assumed=any(map(_is_borrowed, row.verdict.reasons)),
        into=placement.host(row),
    )


def _is_borrowed(reason: str) -> bool:
    """Whether a reason is that limits are those of another march."""
    return reason.startswith("limits assumed from ")
