"""The process that rewrites and prices models beside a training; it knows neither torch nor the user's code.

Jobs come in on its standard input, pickled, and replies go out on its standard output. It ends when its input does,
that is with the process that started it, whatever becomes of that.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surgery.drift.metrics import compare
from surgery.drift.runner import open_runner
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.run import run
from surgery.training.skeleton import Arrays, Skeleton

if TYPE_CHECKING:
    from surgery.pipeline.result import RunResult

NICENESS = 10
"""By how much it steps back behind the training, where the system has niceness."""


@dataclass(frozen=True)
class Job:
    """A model to rewrite, verify and price.

    Attributes:
        skeleton: its graph.
        weights: by name; those of the skeleton, float32 or whatever the module has.
        feeds: the example by input name.
        expected: what the module returns for it in eval mode, by output name.
        march, assume, pipeline: as of :func:`surgery.run`.
        inputs: file, folder or arrays to verify the rewritten model on; the example where there are none.
    """

    skeleton: Skeleton
    weights: Arrays
    feeds: Arrays
    expected: Arrays
    march: str
    assume: str | None = None
    pipeline: Pipeline | None = None
    inputs: Any = None


@dataclass(frozen=True)
class Reply:
    """What became of a job: figures by name, or what is wrong."""

    figures: Mapping[str, float]
    problem: str = ""


def worked(job: Job) -> Reply:
    """The figures of the deployable form of a module: exported, rewritten, verified."""
    start = time.perf_counter()
    try:
        model = Model.load(job.skeleton.filled(job.weights))
        exported = compare([(job.expected, open_runner(model).run(job.feeds))])
        result = run(
            model,
            march=job.march,
            assume=job.assume,
            pipeline=job.pipeline,
            verify="end",
            inputs=job.feeds if job.inputs is None else job.inputs,
        )
    except Exception as error:  # noqa: BLE001  # the training goes on, whatever it is
        return Reply({}, f"{type(error).__name__}: {error}")
    drift = {"export_drift": max(tally.drift().rel_to_range for tally in exported.values())}
    if result.drift is not None and result.drift.outputs:
        drift["drift"] = max(output.rel_to_range for output in result.drift.outputs)
    return Reply({**_structure(result), **drift, "seconds": time.perf_counter() - start})


def _structure(result: RunResult) -> dict[str, float]:
    """What the march makes of the rewritten model; no latency where it has no coefficients."""
    placement, estimate = result.after.placement, result.after.estimate
    summary = placement.summary()
    latency = estimate.latency_ms if estimate else None
    times = {} if latency is None else {"": latency.mid, "_low": latency.low, "_high": latency.high}
    return {
        **{f"latency_ms{end}": float(value) for end, value in times.items()},
        "cpu_nodes": float(summary.cpu),
        "segments": float(summary.segments),
        "violations": float(sum(len(row.verdict.violations) for row in placement.rows) + len(placement.refusals)),
    }


def main() -> None:
    """Work off jobs until there is no more input; nothing but replies goes to the output."""
    jobs, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    void = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(void, descriptor)
    if sys.platform != "win32":
        os.nice(NICENESS)
    while True:
        try:
            job: Job = pickle.load(jobs)
        except EOFError:
            return
        pickle.dump(worked(job), replies)
        replies.flush()


if __name__ == "__main__":
    main()
