"""Notes of ``check`` on layers that break no limit, and that the hardware fills up with padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surgery.cost import paddings
from surgery.report.base import Part, Text

if TYPE_CHECKING:
    from surgery import target
    from surgery.cost import Padding


class PaddedSize(Part):
    """A size of the layer, and the next one that the hardware works on."""

    what: str
    size: int
    aligned: int


class PaddingNote(Part):
    """A layer of which a good part is padding.

    ``waste`` is the part of its work on the hardware that is padding, ``share`` its part of the model's
    multiply-accumulates (both 0..1), ``lost_macs`` how many are spent on the padding; ``source`` is where the multiples
    come from. ``device`` is ``unknown`` where nothing public says that the layer runs on the BPU.
    """

    name: Text
    op: Text
    device: str
    sizes: tuple[PaddedSize, ...]
    waste: float
    share: float
    lost_macs: int
    source: str


def padding_notes(placement: target.Placement) -> tuple[PaddingNote, ...]:
    """The layers of a placement that matter and are padded by much, the largest loss first."""
    return tuple(map(_note, paddings(placement)))


def _note(found: Padding) -> PaddingNote:
    return PaddingNote(
        name=found.node.name,
        op=found.node.op,
        device=found.device,
        sizes=tuple(PaddedSize(what=s.what, size=s.size, aligned=s.aligned) for s in found.sides),
        waste=found.waste,
        share=found.share,
        lost_macs=found.lost,
        source=found.source,
    )
