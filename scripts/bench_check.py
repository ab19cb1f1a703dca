"""Time `surgery check` against reading and shape inference of the same file, in pairs in one run.

usage: bench_check.py [--only GLOB]... [--march M] [--rounds N] [--large-mb MB]

For every model of the corpus: onnx.load with onnx.shape_inference, and surgery.check, the best of N rounds, taken in
turns. Prints milliseconds by the clock and of the processor, and by the processor, which a shared machine changes
less, the ratio of both for files of at least MB megabytes and milliseconds per 100 nodes for the others; exits with 1
when a ratio is above 1.5 or a smaller file takes more than 10 ms per 100 nodes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import corpus
import onnx

import surgery
from surgery.errors import SurgeryError

RATIO, PER_100_NODES = 1.5, 10e-3
FEWEST = 100
"""Smaller models take what starting takes; they count as models of so many nodes."""


class Seconds(NamedTuple):
    """Of one call, by the clock and of the processor."""

    clock: float
    processor: float


class Times(NamedTuple):
    """Seconds of the processor of both for one file, its megabytes and nodes; ``clock`` of the check."""

    name: str
    megabytes: float
    nodes: int
    read: float
    check: float
    clock: float

    def wrong(self, large: float) -> bool:
        """Whether it takes longer than it should."""
        if self.megabytes >= large:
            return self.check > RATIO * self.read
        return self.check > PER_100_NODES * max(self.nodes, FEWEST) / 100

    def said(self, large: float) -> str:
        """A line."""
        per = 1e5 * self.check / max(self.nodes, FEWEST)
        told = f"x {self.check / self.read:5.2f}" if self.megabytes >= large else f"{per:6.1f} ms per 100 nodes"
        size = f"{self.megabytes:7.1f} MB {self.nodes:5} nodes"
        return f"{self.name:48.48} {size} {1e3 * self.clock:8.1f} ms, processor {1e3 * self.check:8.1f} ms {told}"


def timed(call: Callable[[], object]) -> Seconds:
    """What one call takes."""
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return Seconds(time.perf_counter() - clock, time.process_time() - processor)


def read(path: Path) -> None:
    """What anybody has to do who looks at shapes."""
    onnx.shape_inference.infer_shapes(onnx.load(path))


def measure(item: corpus.Item, march: str, rounds: int) -> Times | None:
    """Both, in turns; None where the file cannot be read or its protobuf is too large for shape inference."""
    path = item.filled()
    shapes = item.shapes
    try:
        nodes = len(surgery.check(path, march=march, input_shape=shapes).nodes)
        pairs = [
            (timed(lambda: read(path)), timed(lambda: surgery.check(path, march=march, input_shape=shapes)))
            for _ in range(rounds)
        ]
    except (SurgeryError, onnx.shape_inference.InferenceError, ValueError):
        return None
    reads, checks = zip(*pairs, strict=True)
    best = (min(s.processor for s in reads), min(s.processor for s in checks), min(s.clock for s in checks))
    return Times(item.name, path.stat().st_size / 1e6, nodes, *best)


def main() -> int:
    """Time the corpus."""
    corpus.need_corpus()
    parser = corpus.arguments(__doc__)
    parser.add_argument("--march", default="bayes-e")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large-mb", type=float, default=20.0, metavar="MB")
    options = parser.parse_args()
    slow = 0
    for item in corpus.items(options.only or ["models/*"], large=options.large):
        if (times := measure(item, options.march, options.rounds)) is not None:
            slow += times.wrong(options.large_mb)
            print(times.said(options.large_mb), "SLOW" if times.wrong(options.large_mb) else "", flush=True)
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
