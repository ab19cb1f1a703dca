"""Where the nodes of a model run, node by node."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.ir.graph import Node
from surgery.target.verdict import Device, Verdict

CUT = "between two segments"
MOVED = "moved behind what reads it"
LAYOUT = "one with the change of layout behind the BPU"


@dataclass(slots=True)
class Row:
    """One node and where it runs; ``segment`` numbers BPU nodes, ``note`` says why, ``into`` is what it goes into."""

    node: Node
    device: Device
    segment: int | None
    verdict: Verdict
    note: str = ""
    into: Node | None = None
