"""Time `surgery check` against reading and shape inference of the same file, in pairs in one run.

usage: bench_check.py [--only GLOB]... [--march M] [--rounds N] [--large-mb MB]

For every model of the corpus: seconds of onnx.load with onnx.shape_inference, and of surgery.check, the best of N
rounds, taken in turns. Prints both and their ratio for files of at least MB megabytes, milliseconds per 100 nodes for
the others; exits with 1 when a ratio is above 1.5 or a smaller file takes more than 10 ms per 100 nodes.
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


class Times(NamedTuple):
    """Seconds of both for one file, its megabytes and nodes."""

    name: str
    megabytes: float
    nodes: int
    read: float
    check: float

    def wrong(self, large: float) -> bool:
        """Whether it takes longer than it should."""
        if self.megabytes >= large:
            return self.check > RATIO * self.read
        return self.check > PER_100_NODES * max(self.nodes, FEWEST) / 100

    def said(self, large: float) -> str:
        """A line."""
        per = 1e5 * self.check / max(self.nodes, FEWEST)
        told = f"x {self.check / self.read:5.2f}" if self.megabytes >= large else f"{per:6.1f} ms per 100 nodes"
        return f"{self.name:48.48} {self.megabytes:7.1f} MB {self.nodes:5} nodes {1e3 * self.check:8.1f} ms {told}"


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


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
    return Times(item.name, path.stat().st_size / 1e6, nodes, min(p[0] for p in pairs), min(p[1] for p in pairs))


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
