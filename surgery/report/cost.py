"""``surgery.cost/1``: predicted time per node and in total."""

from __future__ import annotations

from typing import Literal

from surgery.report.base import Document, ModelRef, Part, Span, Text, schema


class Traffic(Part):
    """Bytes moved between the BPU and memory in one frame."""

    read: int
    written: int


class NodeTime(Part):
    """One node: microseconds, and what bounds it (compute, memory, overhead …)."""

    name: Text
    op: Text
    device: str
    us: Span
    bound: str
    macs: int
    basis: str = ""


class TransferTime(Part):
    """A tensor that crosses between host and BPU."""

    tensor: Text
    direction: str
    bytes: int
    us: Span


class CostDocument(Document):
    """The estimate of a model on a march.

    ``bpu_ms`` is BPU time per frame when it is saturated; ``latency_ms`` one thread from submit to done, host
    included. Both are None, with a ``reason``, where the march has no coefficients.
    """

    kind: Literal["surgery.cost/1"] = schema("surgery.cost/1")
    model: ModelRef
    march: str
    bpu_ms: Span | None
    latency_ms: Span | None
    reason: str = ""
    macs: int
    bytes: Traffic
    nodes: tuple[NodeTime, ...]
    transfers: tuple[TransferTime, ...]
