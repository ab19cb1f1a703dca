"""Content about throughput, and about the same model deployed otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from surgery.report.cost import CostDocument
from surgery.report.text import interval, plural
from surgery.report.view.content import Block, Note, table
from surgery.report.what_if import WhatIfPart


def throughput_blocks(document: CostDocument) -> tuple[Block, ...]:
    """Frames per second by the number of threads."""
    rows = ((str(one.threads), interval(one.fps, "fps")) for one in document.throughput_fps)
    return (table("#Threads|#Frames per second", rows),) if document.throughput_fps else ()


def what_if_blocks(document: CostDocument) -> tuple[Block, ...]:
    """The estimate beside the one as it is; nothing where nothing was asked."""
    other = document.what_if
    if other is None:
        return ()
    frames = f" Times are of one inference of {plural(other.batch, 'frame')}." if other.batch > 1 else ""
    gain = f"{interval(other.speedup, 'x')} as fast per frame" if other.speedup else f"no ratio: {other.reason}"
    said = Note(f"{other.asked}: {gain}.{frames}")
    return (said, table("Figure|#As it is|#What if", _rows(document, other)))


def _rows(document: CostDocument, other: WhatIfPart) -> Iterator[tuple[str, str, str]]:
    yield "Latency", interval(document.latency_ms), interval(other.latency_ms)
    yield "BPU time", interval(document.bpu_ms), interval(other.bpu_ms)
    then = {side.threads: side.fps for side in other.throughput_fps}
    for side in document.throughput_fps:
        name = f"Throughput, {plural(side.threads, 'thread')}"
        yield name, interval(side.fps, "fps"), interval(then.get(side.threads), "fps")
