"""The two charts of ``cost``: the line of time of one frame, and the layers under the roofline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from surgery.report.cost import CostDocument, NodeTime
from surgery.report.text import amount, number, percent
from surgery.report.totals import SlotTime
from surgery.report.view.content import Block, Lane, Note, Point, Roofline, Stretch, Timeline

_LANES = {"compute": "BPU, computing", "memory": "BPU, memory", "overhead": "BPU, overhead", "host": "Host"}
_WORK = {"start": "start of segment {}", "submit": "submitting segment {}", "transfer": "transfer of {}"}


def timeline_block(document: CostDocument, ranks: Mapping[str, str]) -> tuple[Block, ...]:
    """What the host and the BPU do one after the other, layers by what bounds them; ``ranks`` numbers some of them."""
    if not document.timeline:
        return ()
    bounds = {node.name: node.bound for node in document.nodes}
    lanes: dict[str, list[Stretch]] = {kind: [] for kind in _LANES}
    for slot in document.timeline:
        lanes[_kind(slot, bounds)].append(_stretch(slot, ranks))
    last = document.timeline[-1]
    end = (last.begin_us + last.us) * 1e-3
    segments = Lane("BPU segment", "segment", tuple(_segments(document)))
    drawn = (segments, *(Lane(_LANES[kind], kind, tuple(pieces)) for kind, pieces in lanes.items()))
    title = "Time from submitting a frame to its result, middle values; numbers are those of the slowest nodes below"
    return (Timeline(title, "ms", end, tuple(lane for lane in drawn if lane.pieces)),)


def _kind(slot: SlotTime, bounds: Mapping[str, str]) -> str:
    if slot.work == "layer":
        found = bounds.get(slot.name, "overhead")
        return found if found in _LANES else "overhead"
    return "overhead" if slot.work == "start" else "host"


def _stretch(slot: SlotTime, ranks: Mapping[str, str]) -> Stretch:
    what = slot.name if slot.work in ("layer", "node") else _WORK[slot.work].format(slot.name or slot.segment)
    rank = ranks.get(slot.name, "") if slot.work in ("layer", "node") else ""
    return Stretch(slot.begin_us * 1e-3, slot.us * 1e-3, f"{what}: {number(slot.us)} µs", rank)


def _segments(document: CostDocument) -> Iterator[Stretch]:
    """From its start to the end of its last layer, every segment."""
    ends: dict[int, float] = defaultdict(float)
    for slot in document.timeline:
        if slot.segment is not None and slot.work != "submit":
            ends[slot.segment] = slot.begin_us + slot.us
    for found in document.segments:
        length = (ends[found.segment] - found.begin_us) * 1e-3
        title = f"segment {found.segment}: {number(length)} ms"
        yield Stretch(found.begin_us * 1e-3, length, title, str(found.segment))


def roofline_block(document: CostDocument, ranks: Mapping[str, str]) -> tuple[Block, ...]:
    """The layers that multiply and move something, under the ceilings of the march."""
    top, total = document.ceilings, sum(node.us.mid or 0.0 for node in document.nodes)
    if top is None:
        return ()
    points = tuple(_point(node, total, ranks.get(node.name, "")) for node in document.nodes if _is_under(node))
    if not points:
        return ()
    rest = (node.us.mid or 0.0 for node in document.nodes if node.device != "cpu" and not _is_under(node))
    share = percent(sum(rest) / total)
    left = Note(f"Layers that multiply nothing, or move nothing, are not in it: {share} of the time.", "muted")
    return (Roofline("MAC/s over MACs per byte moved, both logarithmic", top.macs_per_s, top.bytes_per_s, points), left)


def _is_under(node: NodeTime) -> bool:
    return node.efficiency is not None and node.efficiency.intensity is not None


def _point(node: NodeTime, total: float, rank: str) -> Point:
    us, use = node.us.mid or 1.0, node.efficiency
    intensity = (use.intensity if use else None) or 1.0
    rate = node.macs / us * 1e6
    title = f"{node.name}: {amount(rate)}MAC/s at {number(intensity)} MACs/byte, {number(us)} µs, bound by {node.bound}"
    return Point(intensity, rate, us / total, node.bound, title, rank)
