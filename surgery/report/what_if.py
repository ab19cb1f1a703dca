"""The part of a cost document about threads, and about the same model deployed otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surgery.report.base import Part, Span, Text

if TYPE_CHECKING:
    from surgery.cost import Estimate, WhatIf

THREADS = (1, 2, 4, 8)
"""How many threads a throughput is stated for; the vendor's ``hrt_model_exec perf`` takes 1 to 8 on X3 and X5."""


class Throughput(Part):
    """Frames per second of so many threads, each of which submits its next frame when its last one is done."""

    threads: int
    fps: Span


class WhatIfPart(Part):
    """The estimate of the model deployed otherwise.

    ``asked`` says how. Times are of one inference of ``batch`` frames, ``throughput_fps`` counts frames. ``speedup`` is
    latency per frame as it is over that of this, None, with a ``reason``, where it cannot be stated.
    """

    asked: Text
    batch: int
    bpu_ms: Span
    latency_ms: Span
    throughput_fps: tuple[Throughput, ...]
    speedup: Span | None
    reason: Text = ""


def throughput(estimate: Estimate) -> tuple[Throughput, ...]:
    """The throughputs of an estimate; none where a node is missing from it."""
    if not estimate.complete:
        return ()
    return tuple(Throughput(threads=n, fps=Span.of(estimate.throughput_fps(n))) for n in THREADS)


def what_if_part(asked: WhatIf, before: Estimate, after: Estimate) -> WhatIfPart:
    """The part about an estimate ``after`` beside the one as it is."""
    from surgery.cost import Speedup, speedup

    gain = speedup(before, after) if before.complete else Speedup(None, "nodes without an estimate")
    return WhatIfPart(
        asked=str(asked),
        batch=asked.batch,
        bpu_ms=Span.of(after.bpu_ms),
        latency_ms=Span.of(after.latency_ms),
        throughput_fps=throughput(after),
        speedup=None if gain.interval is None else Span.of(gain.interval),
        reason=gain.reason,
    )
