"""How long the vendor's toolchain takes to place a model, and its answer out of the cache.

usage: bench_witness.py [MODEL|GLOB...] [--march bayes-e] [--limit 60]

Models are files, or globs over the names of the shared corpus, whose weightless models get seeded weights. Every one is
asked about twice by one open witness over an empty cache. Exits 1 when a second answer took over a second, 2 without
the toolchain.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from measure import named
from workers import Task

from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain import Witness
from surgery.toolchain.cache import Cache
from surgery.toolchain.install import MARCHES
from surgery.toolchain.refusal import Kind

BOUND = 1.0
"""Seconds that an answer out of the cache may take."""


def main() -> int:
    """Print a line per model, and the slowest second answer."""
    chosen = _arguments()
    tasks = [task for _, task in sorted(named(chosen.models), key=lambda found: found[1].name)]
    try:
        with tempfile.TemporaryDirectory() as folder, Witness(cache=Cache(Path(folder))) as witness:
            again = [_twice(witness, task, chosen.march, chosen.limit) for task in tasks]
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(again)} models, second answers: slowest {max(again, default=0):.2f} s")
    return int(max(again, default=0) > BOUND)


def _twice(witness: Witness, task: Task, march: str, limit: float) -> float:
    """Seconds of the second answer; 0 where the first was a time-out, which is not kept."""
    model = task.get()
    first, late = _once(witness, model, march, limit)
    second = 0.0 if late else _once(witness, model, march, limit)[0]
    print(f"{task.name:60} {first:6.2f} s, again {'not kept' if late else f'{second:6.2f} s'}", flush=True)
    return second


def _once(witness: Witness, model: Path | Model, march: str, limit: float) -> tuple[float, bool]:
    """Seconds of an answer, and whether it is a time-out."""
    begun = time.monotonic()
    refusal = witness.check(model, march, limit=limit).refusal
    return time.monotonic() - begun, refusal is not None and refusal.kind is Kind.TIMEOUT


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["models/*"])
    parser.add_argument("--march", default="bayes-e", choices=MARCHES)
    parser.add_argument("--limit", type=float, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
