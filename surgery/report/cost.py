"""``surgery.cost/1``: predicted time per node, by kind, by segment and in total, and what it makes of the march."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surgery.cost.coefficients import rates
from surgery.cost.roofline import Roof, node_use, roof, total_use
from surgery.cost.timeline import timeline
from surgery.report.base import Document, InputShape, ModelRef, Part, Span, Text, schema
from surgery.report.log import LogPart
from surgery.report.totals import KindTime, SegmentTime, SlotTime, by_kind, by_segment, slots
from surgery.report.usage import Ceilings, Efficiency, ceilings, efficiency
from surgery.report.what_if import Throughput, WhatIfPart, throughput

if TYPE_CHECKING:
    from surgery.cost import Estimate, NodeCost, Transfer
    from surgery.ir import Model
    from surgery.target import Placement


class Traffic(Part):
    """Bytes moved between the BPU and memory in one frame."""

    read: int
    written: int


class NodeTime(Part):
    """One node: microseconds (None where there is no estimate), what bounds it, and the basis of that knowledge.

    ``kind`` is the coefficient that most of the time is by, as the march's coefficients name it. ``read`` and
    ``written`` are bytes between the BPU and memory, ``weights`` those of ``read`` that are weights, as int8.
    """

    name: Text
    op: Text
    device: str
    us: Span
    bound: str
    macs: int
    basis: str = ""
    kind: str = ""
    reason: Text = ""
    segment: int | None = None
    read: int = 0
    written: int = 0
    weights: int = 0
    efficiency: Efficiency | None = None


class TransferTime(Part):
    """A tensor that crosses between host and BPU."""

    tensor: Text
    direction: str
    bytes: int
    us: Span
    basis: str = ""


class CostDocument(Document):
    """The estimate of a model on a march.

    ``bpu_ms`` is BPU time per frame when it is saturated; ``latency_ms`` one thread from submit to done, host
    included; ``throughput_fps`` is frames per second by threads. They are None, or nothing, with a ``reason``, where
    the march has no coefficients; where a node has no estimate, the times are the least and there is no throughput.
    ``overlap`` is what is left of the sum of the nodes' times on the BPU, since neighbours hide each other's loading.
    ``efficiency`` is that of all that runs on the BPU while it is busy, against the ``ceilings`` of the march (None
    where these are not known); ``what_if`` is the model deployed otherwise, where that was asked.
    """

    kind: Literal["surgery.cost/1"] = schema("surgery.cost/1")
    model: ModelRef
    input_shape: InputShape = Field(default_factory=dict)
    march: str
    bpu_ms: Span | None
    latency_ms: Span | None
    throughput_fps: tuple[Throughput, ...] = ()
    what_if: WhatIfPart | None = None
    overlap: float = 1.0
    reason: str = ""
    macs: int
    bytes: Traffic
    efficiency: Efficiency | None = None
    ceilings: Ceilings | None = None
    kinds: tuple[KindTime, ...] = ()
    segments: tuple[SegmentTime, ...] = ()
    nodes: tuple[NodeTime, ...] = ()
    transfers: tuple[TransferTime, ...] = ()
    timeline: tuple[SlotTime, ...] = ()
    run_on_bpu: tuple[Text, ...] = ()
    log: LogPart | None = None


def cost_document(model: Model, placement: Placement, estimate: Estimate) -> CostDocument:
    """The document of an estimate of a placed model."""
    top, segment = roof(placement.target), estimate.segment_of
    line = timeline(estimate)
    return CostDocument(
        model=ModelRef.unread(model),
        march=placement.target.name,
        bpu_ms=Span.of(estimate.bpu_ms),
        latency_ms=Span.of(estimate.latency_ms),
        throughput_fps=throughput(estimate),
        overlap=round(estimate.overlap, 4),
        macs=estimate.macs,
        bytes=Traffic(read=estimate.bytes_read, written=estimate.bytes_written),
        efficiency=efficiency(total_use(estimate, top)) if top else None,
        ceilings=ceilings(top) if top else None,
        kinds=by_kind(estimate, top),
        segments=by_segment(estimate, segment, line, top, rates(placement.target).sheet.model_error),
        nodes=tuple(_node(cost, segment.get(cost.node), top) for cost in estimate.nodes),
        transfers=tuple(map(_transfer, estimate.transfers)),
        timeline=slots(line),
    )


def no_estimate(model: Model, march: str, reason: str) -> CostDocument:
    """The document of a march without coefficients."""
    nothing = Traffic(read=0, written=0)
    return CostDocument(
        model=ModelRef.unread(model), march=march, bpu_ms=None, latency_ms=None, reason=reason, macs=0, bytes=nothing
    )


def _node(cost: NodeCost, segment: int | None, top: Roof | None) -> NodeTime:
    return NodeTime(
        name=cost.node.name,
        op=cost.node.op,
        device=cost.device,
        us=Span.of(cost.us),
        bound=cost.bound,
        macs=cost.macs,
        basis=cost.basis,
        kind=cost.group,
        reason=cost.reason,
        segment=segment,
        read=cost.read,
        written=cost.written,
        weights=cost.weights,
        efficiency=efficiency(node_use(cost, top)) if top else None,
    )


def _transfer(transfer: Transfer) -> TransferTime:
    return TransferTime(
        tensor=transfer.tensor,
        direction=transfer.direction,
        bytes=transfer.bytes,
        us=Span.of(transfer.us),
        basis=transfer.basis,
    )
