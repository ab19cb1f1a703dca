"""Which layers keep the dense engine busy with padding: sizes it rounds up, and how much of its work that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from surgery.cost.coefficients import Rates, rates
from surgery.cost.kinds import Kind, kinds
from surgery.cost.work import NotStatic, Side, dense
from surgery.ir.graph import Node

if TYPE_CHECKING:
    from surgery.target import Placement, Row

LEAST_WASTE = 0.1
"""Part of a layer's work on the engine that is padding, from which the layer is worth a word."""
LEAST_SHARE = 0.01
"""Part of the model's multiply-accumulates, from which a layer is worth a word."""


@dataclass(frozen=True, slots=True)
class Padding:
    """A layer of which a good part is padding.

    Attributes:
        node: the layer.
        device: ``bpu``, or ``unknown`` where nothing public says that it runs there.
        sides: the sizes that are rounded up, the one that costs most first.
        share: its part of the model's multiply-accumulates, 0..1.
        waste: the part of its work on the engine that is padding, 0..1.
        lost: multiply-accumulates of the padding.
        source: where the multiples come from, as the cost coefficients describe it.
    """

    node: Node
    device: str
    sides: tuple[Side, ...]
    share: float
    waste: float
    lost: int
    source: str


def paddings(placement: Placement) -> tuple[Padding, ...]:
    """The layers on the BPU that matter and are padded by much, the largest loss first; none without coefficients."""
    if not placement.target.cost:
        return ()
    table, total = rates(placement.target), placement.summary().macs
    work = placement.macs
    found = (_padding(row, table, work[row.node], total) for row in placement.live if row.device in ("bpu", "unknown"))
    return tuple(sorted(filter(None, found), key=lambda padding: -padding.lost))


def _padding(row: Row, table: Rates, plain: int, total: int) -> Padding | None:
    if not plain or plain < LEAST_SHARE * total or kinds(row.node)[:1] not in ((Kind.DENSE,), (Kind.TRANSPOSED,)):
        return None
    try:
        rest, sides = dense(row.node, table.align)
    except NotStatic:
        return None
    before, after = (rest * prod(sizes) for sizes in ((s.size for s in sides), (s.aligned for s in sides)))
    waste = 1 - before / after
    if waste < LEAST_WASTE:
        return None
    rounded = sorted((s for s in sides if s.aligned > s.size), key=lambda s: s.size / s.aligned)
    source = table.sheet.sources[table.align.source]
    return Padding(row.node, row.device, tuple(rounded), plain / total, waste, after - before, source)
