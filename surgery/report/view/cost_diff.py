"""Content of the comparison of two estimates: totals, by kind, and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from surgery.report.cost_diff import CostDiffDocument, CostSide, KindChange, LayerChange, LayerSide
from surgery.report.text import amount, interval, listed, number, percent, plural
from surgery.report.verdict import closing
from surgery.report.view.content import Bars, Block, Cell, Note, Page, Section, Table, Tone, code, table
from surgery.report.view.nodes import DEVICES
from surgery.report.view.ran import bars

MOST = 20
"""How many layers the table of the largest changes has."""
_LEAST = 0.005
"""Microseconds, below which a layer has not changed."""


def cost_diff_page(document: CostDiffDocument) -> Page:
    """The totals of two models, what changed by kind, the layers that changed most, and layer by layer."""
    changed = [layer for layer in document.layers if _is_changed(layer)]
    sections = (
        Section("Before and after", tuple(_totals(document))),
        Section("By kind", _kinds(document.kinds)),
        Section("Layers that changed most", tuple(_most(document.layers, changed))),
        Section(
            "Layer by layer", (replace(_layers(document.layers), live=True),) if document.layers else (), detail=True
        ),
    )
    kept = tuple(s for s in sections if s.blocks)
    subject = " → ".join(side.model.path or "in memory" for side in (document.before, document.after))
    return Page(f"Cost of two models on {document.march}", subject, tuple(_facts(document)), kept, closing(document))


def _is_changed(layer: LayerChange) -> bool:
    return layer.change_us is None or abs(layer.change_us) >= _LEAST


def _facts(document: CostDiffDocument) -> Iterator[tuple[str, Cell]]:
    yield "Speedup", Cell(interval(document.speedup, "x"))
    for title, spans in (
        ("Latency", (document.before.latency_ms, document.after.latency_ms)),
        ("BPU time per frame", (document.before.bpu_ms, document.after.bpu_ms)),
    ):
        yield title, Cell(" → ".join(f"{number(span.mid)} ms" if span else "–" for span in spans))
    yield "MACs", Cell(f"{amount(document.before.macs)} → {amount(document.after.macs)}")


def _totals(document: CostDiffDocument) -> Iterator[Block]:
    before, after = document.before, document.after
    drawn = [*bars("latency", before.latency_ms, after.latency_ms), *bars("BPU", before.bpu_ms, after.bpu_ms)]
    if drawn:
        yield Bars("Predicted time, low to high", "ms", tuple(drawn))
    rows = ((title, old, new) for (title, old), (_, new) in zip(_figures(before), _figures(after), strict=True))
    yield table("|#Before|#After", rows)
    if document.reason:
        yield Note(f"No speedup stated: {document.reason}.", "warn")
    elif document.speedup:
        yield Note("The speedup is from the paired change: errors that both estimates share cancel.", "muted")


def _figures(side: CostSide) -> list[tuple[str, str]]:
    use = side.efficiency
    return [
        ("Latency", interval(side.latency_ms)),
        ("BPU time per frame", interval(side.bpu_ms)),
        ("MACs", amount(side.macs)),
        ("Read", f"{amount(side.bytes.read)}B"),
        ("Written", f"{amount(side.bytes.written)}B"),
        ("Nodes that take time", str(side.nodes)),
        ("BPU segments", str(side.segments)),
        ("Compute efficiency", percent(use.compute if use else None)),
        ("Parameter efficiency", percent(use.parameters if use else None)),
    ]


def _kinds(kinds: Sequence[KindChange]) -> tuple[Block, ...]:
    rows = [
        (
            code(kind.kind),
            Cell(kind.device, DEVICES.get(kind.device, "")),
            f"{number(kind.before_us)} µs",
            f"{number(kind.after_us)} µs",
            _change(kind.after_us - kind.before_us),
        )
        for kind in kinds
    ]
    return (table("Kind|Device|#Before|#After|#Change", rows),) if rows else ()


def _most(layers: Sequence[LayerChange], changed: Sequence[LayerChange]) -> Iterator[Block]:
    if not layers:
        return
    if changed:
        yield _layers(changed[:MOST])
    more = f", {len(changed) - MOST} of them below" if len(changed) > MOST else ""
    yield Note(f"{plural(len(changed), 'layer')} changed{more}, {len(layers) - len(changed)} did not.")
    for side, other in (("before", "after"), ("after", "before")):
        alone = [found for layer in layers if getattr(layer, other) is None and (found := getattr(layer, side))]
        if alone:
            us = sum(found.us.mid or 0.0 for found in alone)
            yield Note(f"Only {side}: {plural(len(alone), 'layer')}, {number(us)} µs.")


def _layers(layers: Iterable[LayerChange]) -> Table:
    head = "Before|After|Operator|#Time before|#Time after|#Change|Bound by|=Matched by"
    return table(head, map(_layer, layers))


def _layer(layer: LayerChange) -> Iterator[Cell | str]:
    sides = (layer.before, layer.after)
    for side in sides:
        yield code(listed(side.nodes, 2)) if side else Cell("–", "muted")
    yield code(_told(", ".join(side.ops) if side else "" for side in sides))
    for side in sides:
        yield Cell(interval(side.us, "µs") if side else "–", key=_mid(side))
    yield _change(layer.change_us)
    yield _told(side.bound if side else "" for side in sides)
    yield layer.by if layer.by != "none" else "only one"


def _mid(side: LayerSide | None) -> float:
    return (side.us.mid or 0.0) if side else 0.0


def _told(both: Iterable[str]) -> str:
    """What holds before and after, once where it is the same."""
    return " → ".join(dict.fromkeys(filter(None, both)))


def _change(us: float | None) -> Cell:
    """Longer or shorter, by sign and by tone."""
    if us is None:
        return Cell("no estimate", "warn", key=0.0)
    if abs(us) < _LEAST:
        return Cell("0", "muted", key=us)
    tone: Tone = "bad" if us > 0 else "good"
    return Cell(f"{'+' if us > 0 else '−'}{number(abs(us))} µs", tone, key=us)
