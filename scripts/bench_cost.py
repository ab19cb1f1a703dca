"""Time the estimate of models that are loaded: placing them, and estimating what is placed.

usage: bench_cost.py [GLOB...] [--march M] [--rounds N]

For every model of the corpus with 100 nodes or more: milliseconds of this process per 100 nodes, the best of N rounds,
to place it and to estimate it; then median and worst over the models. Exits with 1 when the estimate of one takes more
than 5 ms per 100 nodes. Without the corpus it says so and exits 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import corpus
import numpy as np

from surgery.cost import estimate
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.target import Target, load_target, place

PER_100_NODES = 5.0
FEWEST = 100


class Times(NamedTuple):
    """A model, its nodes, and milliseconds per 100 of them."""

    name: str
    nodes: int
    place: float
    estimate: float


def timed(call: Callable[[], object], rounds: int) -> float:
    """Milliseconds of this process for one call, the best of ``rounds``."""

    def once() -> float:
        begun = time.process_time()
        call()
        return 1e3 * (time.process_time() - begun)

    return min(once() for _ in range(rounds))


def times(globs: Sequence[str], target: Target, rounds: int) -> Iterator[Times]:
    """The models of the corpus that load and are large enough."""
    for item in corpus.items(globs):
        try:
            model = Model.load(item.path)
        except SurgeryError:
            continue
        count = sum(1 for _ in model.nodes())
        if count < FEWEST:
            continue
        placed, each = place(model, target), 100 / count
        placing = timed(partial(place, model, target), rounds)
        estimating = timed(partial(estimate, placed), rounds)
        yield Times(item.name, count, each * placing, each * estimating)


def main(arguments: list[str]) -> int:
    """Print the times; 1 when one is too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["*"])
    parser.add_argument("--march", default="bayes-e")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    if not corpus.CORPUS.is_dir():
        print(f"no corpus at {corpus.CORPUS}: nothing to time")
        return 0
    found = []
    for one in times(chosen.models, load_target(chosen.march), chosen.rounds):
        found.append(one)
        print(f"{one.name:48.48} {one.nodes:5} nodes, place {one.place:6.2f}, estimate {one.estimate:6.2f}", flush=True)
    for what in ("place", "estimate"):
        values = [getattr(one, what) for one in found]
        print(f"{what:8} {np.median(values):6.2f} ms per 100 nodes, worst {max(values):6.2f}, {len(found)} models")
    return int(any(one.estimate > PER_100_NODES for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
