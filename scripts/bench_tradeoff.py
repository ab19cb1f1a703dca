"""How long the search of docs/tradeoff.md takes, and its front; and what a second Dask worker brings.

usage: bench_tradeoff.py [WORKERS] [--witness]  so many processes; with the front by the vendor's toolchain, too
       bench_tradeoff.py --dask TRIALS          one worker of Dask, then two, each a process of its own on loopback
       bench_tradeoff.py --parts TRIALS         one process: where its time goes

Seconds of the clock, and of the processor in all processes: on a machine that does other work, too, only the latter say
what the search costs. With --dask the clock of the search alone counts, its workers wait for it, each computes in one
thread, and both results have to be the same. --parts counts the passes that ran, and holds the whole against what
onnxruntime and these passes took.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import surgery
from surgery.cli.evaluator import Named
from surgery.ir import session
from surgery.pipeline import manager
from surgery.report import TradeoffDocument
from surgery.report.tradeoff import Variant, WitnessedVariant

ROOT = Path(__file__).resolve().parent.parent
SPACE = ROOT / "docs" / "examples" / "space.yaml"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def searched(**options: Any) -> tuple[TradeoffDocument, float]:
    """The result of the search, and its seconds."""
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
        **options,
    )
    return found, time.perf_counter() - start


def local(workers: int, *, witness: bool) -> int:
    """Search by processes, and print what it took and the front."""
    found, clock = searched(workers=workers, witness="auto" if witness else None)
    print(
        f"{len(found.variants) - 1} variants, {workers} workers: {clock:.0f} s, {_processor():.0f} s of the processor"
    )
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    told = {row.number: row for row in found.witness.variants} if found.witness else {}
    for at in found.front:
        print(line(found.variants[at], told.get(at)))
    return 0


def line(variant: Variant, told: WitnessedVariant | None) -> str:
    """A variant of the front, and what the toolchain has of it."""
    ms, bpu = (span.mid if span else None for span in (variant.latency_ms, variant.bpu_ms))
    said = (
        f"{variant.number:3} {ms:.4g} ms  float {variant.metrics['accuracy']:.5f}  int8 {variant.int8['accuracy']:.5f}"
    )
    if told is None:
        return said
    own = f"{told.int8['accuracy']:.5f}" if told.int8 else told.reason
    return f"{said}, toolchain {own}; BPU {bpu:.4f} ms, compiled {(told.compiled.latency_us or 0) / 1000:.4f} ms"


def parts(trials: int) -> int:
    """Search in this process, and print where the time goes."""
    spent: defaultdict[str, float] = defaultdict(float)
    _timed(manager._PassRunner, "run", "passes", spent)
    for name in ("__init__", "run"):
        _timed(session.Session, name, "onnxruntime", spent)
    start = time.process_time()
    found, _ = searched(trials=trials)
    whole = time.process_time() - start
    told = ", ".join(f"{name} {spent[name]:.1f} s" for name in ("passes", "onnxruntime"))
    measured = sum(variant.status == "ok" for variant in found.variants)
    print(
        f"{measured} models of {len(found.variants)}: {whole:.1f} s of the processor, of which {told} outside of passes"
    )
    print(f"{spent['passes, times']:.0f} passes ran, {sum(len(v.passes) for v in found.variants)} without sharing")
    print(f"the whole is {whole / (spent['passes'] + spent['onnxruntime']):.2f} times passes and onnxruntime")
    return 0


def _timed(owner: type, name: str, kind: str, spent: defaultdict[str, float]) -> None:
    """Have a method count its seconds of the processor; what is called within another one that counts is its part."""
    inner = getattr(owner, name)

    def counted(*values: Any, **named: Any) -> Any:
        if _within:
            return inner(*values, **named)
        start = time.process_time()
        _within.append(kind)
        try:
            return inner(*values, **named)
        finally:
            _within.pop()
            spent[kind] += time.process_time() - start
            spent[f"{kind}, times"] += 1

    setattr(owner, name, counted)


_within: list[str] = []


def over_dask(trials: int) -> int:
    """Search by one worker, then by two, and print what the second brings; 1 where they do not find the same."""
    made, clocks = [], []
    for workers in (1, 2):
        before = _processor()
        with cluster(workers) as address:
            found, clock = searched(scheduler=address, trials=trials)
        made.append(found.to_json())
        clocks.append(clock)
        used, count = _processor() - before, len(found.variants)
        each = f"{clock:.1f} s, {clock / count:.2f} s each; {used:.1f} s of the processor"
        print(f"{count} models, {workers} of Dask: {each}")
    print(f"two workers are {clocks[0] / clocks[1]:.2f} times one; the same bytes: {made[0] == made[1]}")
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(made[0] != made[1])


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler on loopback with so many workers, which are there."""
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    port, cli = address.rpartition(":")[2], "distributed.cli"
    calls: list[list[str]] = [[f"{cli}.dask_scheduler", "--host", "127.0.0.1", "--port", port]]
    calls += [[f"{cli}.dask_worker", address, "--nthreads", "1"]] * workers
    started = [_started(call) for call in calls]
    try:
        client: Any = Client
        with client(address, timeout=60, set_as_default=False) as asked:
            asked.wait_for_workers(workers, timeout=120)
            asked.run(_warm)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def _started(call: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", *call, "--no-dashboard"]
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _warm() -> None:
    """Have a worker import what it needs."""
    import_module("surgery.api")


def _processor() -> float:
    """Seconds of the processor, of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workers", nargs="?", type=int, default=2)
    parser.add_argument("--witness", action="store_true")
    parser.add_argument("--dask", type=int, metavar="TRIALS")
    parser.add_argument("--parts", type=int, metavar="TRIALS")
    chosen = parser.parse_args(arguments)
    if chosen.dask:
        return over_dask(chosen.dask)
    return parts(chosen.parts) if chosen.parts else local(chosen.workers, witness=chosen.witness)


if __name__ == "__main__":
    sys.exit(main())
