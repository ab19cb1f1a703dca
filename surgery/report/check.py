"""``surgery.check/1``: where every node runs, which limits it breaks, what cures it."""

from __future__ import annotations

from typing import Literal

from surgery.report.base import Document, ModelRef, Number, Part, Scalar, Text, schema

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
    """A reason why the toolchain would not take the model at all."""

    rule: str
    found: Scalar
    allowed: Scalar
    source: str
    cured_by: tuple[str, ...] = ()
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
    """One node: its device, BPU segment, why it is there, and its violations."""

    name: Text
    op: Text
    device: Device
    segment: int | None
    note: Text = ""
    violations: tuple[Violation, ...] = ()


class CheckDocument(Document):
    """The placement of a model on a march."""

    kind: Literal["surgery.check/1"] = schema("surgery.check/1")
    model: ModelRef
    march: str
    accepted: bool
    refusals: tuple[Refusal, ...]
    summary: Summary
    nodes: tuple[NodeRow, ...]

    @property
    def cpu_nodes(self) -> tuple[NodeRow, ...]:
        """The nodes that run on the CPU."""
        return self.on("cpu")

    def on(self, device: Device) -> tuple[NodeRow, ...]:
        """The nodes placed on ``device``."""
        return tuple(row for row in self.nodes if row.device == device)
