"""Content of ``profile``: where the time of a frame goes, what to do about it, and its parts along a line of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from surgery.report.profile import WORKS, EntryPart, LayerPart, ProfileDocument, SegmentPart, Work
from surgery.report.text import amount, listed, number, percent
from surgery.report.verdict import closing
from surgery.report.view.content import (
    Block,
    Cell,
    Lane,
    Note,
    Page,
    Section,
    Stretch,
    Table,
    Timeline,
    Tone,
    code,
    table,
)

_TONES: dict[str, Tone] = {"bpu": "good", "cpu": "warn", "quantise": "warn", "dequantise": "warn", "move": "warn"}
_LANES = {"bpu": "bpu", "submit": "overhead", "waiting": "overhead", "rest": "overhead"}


def profile_page(document: ProfileDocument) -> Page:
    """Totals, shares, advice, the line of time, the slowest layers, entries and files."""
    layers = [layer for segment in document.segments for layer in segment.layers]
    slowest = sorted(layers, key=lambda layer: -(layer.compute_us + layer.transfer_us))
    sections = (
        Section("Where the time goes", _shares(document)),
        Section("What to do about it", _advice(document)),
        Section("One frame, entries laid end to end", tuple(_laid(document))),
        *(
            Section(f"In time: {segment.name or 'the segment'}", tuple(_active(segment)), detail=True, open=True)
            for segment in document.segments
        ),
        Section("Entries", _entries(document.entries)),
        Section("Segments on the BPU", _segments(document.segments)),
        Section("Slowest layers", _layers(slowest[:12])),
        Section("On the CPU, without a time", _untimed(document)),
        Section("Files", (_files(document), *_unmatched(document))),
        Section("Layer by layer", _layers(layers), detail=True),
    )
    subject = (document.model.path or "in memory") if document.model else document.name or document.files[0].path
    march = f" on {document.march}" if document.march else ""
    kept = tuple(section for section in sections if section.blocks)
    return Page(f"Profile{march}", subject, tuple(_facts(document)), kept, closing(document))


def _facts(document: ProfileDocument) -> Iterator[tuple[str, Cell]]:
    if document.latency_ms is not None:
        yield "Latency", Cell(f"{number(document.latency_ms)} ms")
        yield "Rate", Cell(f"{number(document.fps)} FPS")
    if (worst := document.bottleneck) is not None and worst.on_cpu is not None:
        tone: Tone = "warn" if worst.on_cpu else ""
        yield "Bottleneck", Cell(f"{WORKS[worst.work]}, {percent(worst.share)}", tone)
    if document.segments:
        predicted = sum(segment.latency_us for segment in document.segments) * 1e-3
        yield "BPU, predicted", Cell(f"{number(predicted)} ms")
        yield "Compiled at", Cell(document.level or "an unknown level")
        yield "DDR per frame", Cell(f"{amount(sum(segment.ddr_bytes for segment in document.segments))}B")
    if document.int16 is not None:
        yield "MACs with int16", Cell(percent(document.int16))


def _shares(document: ProfileDocument) -> tuple[Block, ...]:
    rows = (
        (
            Cell(WORKS[share.work], _TONES.get(share.work, "")),
            f"{number(share.ms)} ms",
            percent(share.share),
            str(share.entries),
            share.basis,
        )
        for share in document.shares
    )
    known = (table("Work|#Time|#Share|#Entries|Known as", rows),) if document.shares else ()
    return (*known, *(Note(note, "warn") for note in document.notes))


def _advice(document: ProfileDocument) -> tuple[Block, ...]:
    return tuple(
        note for at, one in enumerate(document.advice, 1) for note in _piece(at, one.text, one.key, one.command)
    )


def _piece(at: int, text: str, key: str, command: str) -> Iterable[Note]:
    yield Note(f"{at}. {text}")
    yield from (Note(f"   {line}", "muted") for line in (f"in the YAML: {key}" if key else "", command) if line)


def _laid(document: ProfileDocument) -> Iterator[Timeline]:
    """What was measured, one after the other."""
    at, pieces = 0.0, dict[Work, list[Stretch]]()
    if not document.entries:
        return
    rest = [share for share in document.shares if share.work in ("waiting", "rest")]
    for work, name, ms in (
        *((entry.work, entry.name, entry.ms) for entry in document.entries),
        *((share.work, WORKS[share.work], share.ms) for share in rest),
    ):
        pieces.setdefault(work, []).append(Stretch(at, ms, f"{name}: {number(ms)} ms"))
        at += ms
    lanes = (Lane(WORKS[work], _LANES.get(work, "host"), tuple(stretches)) for work, stretches in pieces.items())
    yield Timeline("The profiler tells how long an entry takes, not when it begins", "ms", at, tuple(lanes))


def _active(segment: SegmentPart) -> Iterator[Timeline]:
    """Layers while they are active, in as few lanes as keep apart those that are so at once."""
    lanes: list[tuple[str, list[Stretch]]] = []
    for layer in sorted((x for x in segment.layers if x.begin_us is not None), key=lambda x: x.begin_us or 0.0):
        begin, end = layer.begin_us or 0.0, layer.end_us or 0.0
        kind = "memory" if layer.transfer_us > layer.compute_us else "compute"
        free = (pieces for which, pieces in lanes if which == kind and pieces[-1].begin + pieces[-1].length <= begin)
        lane = next(free, None)
        if lane is None:
            lanes.append((kind, lane := []))
        costs = f"{number(layer.compute_us)} µs computing, {number(layer.transfer_us)} µs loading and storing"
        lane.append(Stretch(begin, end - begin, f"{layer.name}: {costs}"))
    if lanes:
        last = max(layer.end_us or 0.0 for layer in segment.layers)
        drawn = (Lane(kind, kind, tuple(pieces)) for kind, pieces in sorted(lanes, key=lambda lane: lane[0]))
        title = "Layers while they are active, as the compiler predicts, by what bounds them"
        yield Timeline(title, "µs", max(segment.latency_us, last), tuple(drawn))


def _entries(entries: Sequence[EntryPart]) -> tuple[Block, ...]:
    rows = (
        (
            code(entry.name),
            Cell(WORKS[entry.work], _TONES.get(entry.work, "")),
            f"{number(entry.ms)} ms",
            f"{number(entry.low)}–{number(entry.high)}",
            percent(entry.share),
            code(listed(entry.nodes, 2)),
        )
        for entry in sorted(entries, key=lambda entry: -entry.ms)
    )
    return (table("Entry|Work|#Time|#From–to|#Share|Nodes", rows),) if entries else ()


def _segments(segments: Sequence[SegmentPart]) -> tuple[Block, ...]:
    rows = (
        (
            code(segment.name or "–"),
            f"{number(segment.latency_us * 1e-3)} ms",
            f"{amount(segment.ddr_bytes)}B",
            amount(segment.ops),
            percent(segment.utilisation),
            str(len(segment.layers)),
        )
        for segment in segments
    )
    return (table("Segment|#Predicted|#DDR|#Operations|#Units busy|#Layers", rows),) if segments else ()


def _layers(layers: Sequence[LayerPart]) -> tuple[Block, ...]:
    rows = (
        (
            code(layer.name),
            f"{number(layer.compute_us)} µs",
            f"{number(layer.transfer_us)} µs",
            "memory" if layer.transfer_us > layer.compute_us else "computing",
            code(listed(layer.nodes, 2)),
        )
        for layer in layers
    )
    return (table("Layer|#Computing|#Loading, storing|Bound by|Nodes", rows),) if layers else ()


def _untimed(document: ProfileDocument) -> tuple[Block, ...]:
    return (Note(listed(document.cpu, 12)),) if document.cpu else ()


def _files(document: ProfileDocument) -> Table:
    rows = (
        (
            code(file.path),
            file.form,
            str(file.threads or "–"),
            f"{number(file.latency_ms)} ms" if file.latency_ms is not None else "",
            number(file.fps) if file.fps is not None else "",
            Cell(listed(file.skipped, 4), "muted"),
        )
        for file in document.files
    )
    return table("File|Format|#Threads|#Latency|#FPS|Not read", rows)


def _unmatched(document: ProfileDocument) -> tuple[Note, ...]:
    names = document.unmatched
    return (Note(f"Names that match no node: {listed(names, 6)}.", "warn"),) if names else ()
