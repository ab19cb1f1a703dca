"""Time the default pipeline without verification against onnxslim, onnxsim and onnxscript's optimizer.

usage: bench_peers.py [--only GLOB]... [--large] [--march M] [--repeats N] [--no-memory]

Every tool works in a process of its own that is warm (imports done, one model rewritten); the tools take turns model by
model, so that what else the machine does hits all of them. Seconds count from reading the file to having written
it; of several repeats the best counts. For models over 50 MB the peak memory (ru_maxrss) of a fresh process is
measured, too. Prints a line per model with the ratio ours/theirs and the geometric means; exits with 1 when the mean
over onnxslim is above 0.5, or our memory anywhere above half of onnxslim's. The peers come with the extra ``bench``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import corpus

LIMIT = 0.5
LARGE = 50 << 20
"""Size of the models whose peak memory counts."""
SECONDS = 600.0

Job = Callable[[str, str], None]


def ours(march: str) -> Job:
    """``surgery run --verify off``, from file to file."""
    from surgery.pipeline.run import run

    return lambda source, target: run(source, march=march, verify="off").model.save(target)


def onnxslim(_: str) -> Job:
    """The command of onnxslim itself, from file to file."""
    import onnxslim as tool

    slim: Job = tool.slim
    return slim


def onnxsim(_: str) -> Job:
    """The simplifier of onnxsim without its check of the numbers."""
    import onnx
    import onnxsim as tool

    return lambda source, target: onnx.save(tool.simplify(onnx.load(source), check_n=0)[0], target)


def onnxscript(_: str) -> Job:
    """The optimizer of onnxscript."""
    import onnx
    from onnxscript.optimizer import optimize

    return lambda source, target: onnx.save(optimize(onnx.load(source)), target)


TOOLS: dict[str, Callable[[str], Job]] = {
    "surgery": ours,
    "onnxslim": onnxslim,
    "onnxsim": onnxsim,
    "onnxscript": onnxscript,
}


class Worker:
    """A tool in a process of its own that answers with seconds, or with what went wrong."""

    def __init__(self, name: str, march: str) -> None:
        self.name, self.march = name, march
        self._start()

    def _start(self) -> None:
        command = [sys.executable, __file__, "--serve", self.name, self.march]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, source: Path, target: Path) -> dict[str, Any]:
        """Seconds and peak memory in bytes of one rewrite, or an ``error``; a process that dies is replaced."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a process without pipes")
        print(json.dumps([str(source), str(target)]), file=stdin, flush=True)
        answer: dict[str, Any] = json.loads(stdout.readline() or '{"error": "its process ended"}')
        if self._process.poll() is not None:
            self._start()
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def serve(name: str, march: str) -> None:
    """Answer the requests on stdin; what the tool itself prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    logging.disable()
    job = TOOLS[name](march)
    for line in sys.stdin:
        print(json.dumps(_timed(job, *json.loads(line))), file=answers, flush=True)


def _timed(job: Job, source: str, target: str) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        job(source, target)
    except Exception as error:  # noqa: BLE001  a tool that fails is a result
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"}
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}


def peak(name: str, march: str, source: Path, target: Path) -> float | None:
    """Peak memory in MB of a fresh process that rewrites one model; None when it fails."""
    worker = Worker(name, march)
    with contextlib.closing(worker):
        answer = worker.ask(source, target)
    return answer["bytes"] / 1e6 if "bytes" in answer else None


def mean(ratios: Sequence[float]) -> float:
    """Geometric mean; NaN of nothing."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def _source(item: corpus.Item) -> Path:
    """The file with weights, made in a process of its own: children inherit the peak memory of this one."""
    path = corpus.isolated(item.filled)
    if isinstance(path, corpus.Failed):
        raise RuntimeError(path.reason)
    return path


class Bench:
    """The ratios so far: of seconds per peer, of memory per peer."""

    def __init__(self, march: str, repeats: int, memory: bool) -> None:
        self.march, self.repeats, self.memory = march, repeats, memory
        self.names = [n for n in TOOLS if n == "surgery" or find_spec(n)]
        self.seconds: dict[str, list[float]] = {n: [] for n in self.names}
        self.bytes: dict[str, list[float]] = {n: [] for n in self.names}
        self.workers = [Worker(n, march) for n in self.names]

    def run(self, models: Sequence[corpus.Item]) -> None:
        """Warm up on the first model, then time and print every one."""
        with tempfile.TemporaryDirectory(dir=corpus.CACHE) as folder:
            target = Path(folder) / "out.onnx"
            for worker in self.workers:
                worker.ask(_source(models[0]), target)
            for item in models:
                print(" ".join(self._row(item, target)), flush=True)
        for worker in self.workers:
            worker.close()

    def _row(self, item: corpus.Item, target: Path) -> Iterator[str]:
        source = _source(item)
        best = self._best(source, target)
        yield f"{item.name:44.44}"
        for name, seconds in best.items():
            if seconds is None:
                yield f"{'failed':>14}"
                continue
            ratio = (best["surgery"] or math.nan) / seconds
            yield f"{seconds:7.2f} {'' if name == 'surgery' else f'{ratio:6.2f}':6}"
            if not math.isnan(ratio):
                self.seconds[name].append(ratio)
        if self.memory and source.stat().st_size > LARGE:
            yield from self._peaks(source, target)

    def _best(self, source: Path, target: Path) -> dict[str, float | None]:
        """The best seconds per tool, the tools taking turns."""
        found: dict[str, list[float]] = {name: [] for name in self.names}
        for _ in range(self.repeats):
            for worker in self.workers:
                answer = worker.ask(source, target)
                found[worker.name] += [answer["seconds"]] if "seconds" in answer else []
        return {name: min(seconds) if seconds else None for name, seconds in found.items()}

    def _peaks(self, source: Path, target: Path) -> Iterator[str]:
        peaks = {name: peak(name, self.march, source, target) for name in self.names}
        mine = peaks["surgery"]
        for name, used in peaks.items():
            if mine is not None and used is not None:
                self.bytes[name].append(mine / used)
            yield f"{'failed' if used is None else f'{used:.0f}':>6}"

    def verdict(self) -> int:
        """Print the means; 1 when a limit is broken."""
        for name in self.names[1:]:
            worst = max(self.bytes[name], default=math.nan)
            print(
                f"surgery/{name}: seconds {mean(self.seconds[name]):.2f} over {len(self.seconds[name])} models, "
                f"memory {mean(self.bytes[name]):.2f} (worst {worst:.2f}) over {len(self.bytes[name])}"
            )
        broken = mean(self.seconds["onnxslim"]) > LIMIT or any(r > LIMIT for r in self.bytes["onnxslim"])
        print("over the limit" if broken else "within the limits", f"({LIMIT} of onnxslim)")
        return int(broken)


def main() -> int:
    """Time all tools over the models."""
    corpus.need_corpus()
    parser = corpus.arguments(__doc__)
    parser.add_argument("--march", default="bayes-e")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--no-memory", action="store_true", help="seconds only")
    options = parser.parse_args()
    if not find_spec("onnxslim"):
        sys.exit("the peers are not installed: pip install '.[bench]'")
    corpus.CACHE.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.march, options.repeats, not options.no_memory)
    print(f"{'seconds (ratio ours/theirs), then MB':44} {'  '.join(f'{n:>12}' for n in bench.names)}")
    bench.run(list(corpus.items(options.only or ["models/*"], large=options.large)))
    return bench.verdict()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        sys.exit(main())
