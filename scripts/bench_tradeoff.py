"""How long the search of docs/tradeoff.md takes, and its front: ``scripts/bench_tradeoff.py [WORKERS]``.

Seconds of the clock, and of the processor in all processes: on a machine that does other work, too, only the latter say
what the search costs.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import surgery
from surgery.cli.evaluator import Named
from surgery.report import TradeoffDocument

ROOT = Path(__file__).parent.parent
SPACE = ROOT / "docs" / "examples" / "space.yaml"


def main(workers: int) -> None:
    """Search, and print what it took and the front."""
    start = time.perf_counter()
    found: TradeoffDocument = surgery.tradeoff(
        ROOT / "models" / "digits.onnx",
        march="X3",
        space=SPACE,
        add=["strip-io-nodes"],
        eval_=Named("models/eval.py:accuracy", str(ROOT)),
        int8=True,
        inputs=ROOT / "models" / "digits.npz",
        samples=16,
        workers=workers,
    )
    clock = time.perf_counter() - start
    print(
        f"{len(found.variants) - 1} variants, {workers} workers: {clock:.0f} s, {_processor():.0f} s of the processor"
    )
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for at in found.front:
        variant = found.variants[at]
        ms = variant.latency_ms.mid if variant.latency_ms else None
        print(f"{at:3} {ms:.4g} ms  float {variant.metrics['accuracy']:.5f}  int8 {variant.int8['accuracy']:.5f}")


def _processor() -> float:
    """Seconds of the processor, of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
