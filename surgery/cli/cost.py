"""``surgery cost``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surgery.cli import options as opt

if TYPE_CHECKING:
    from pathlib import Path

    from surgery.cli.jobs import Job


def cost(
    models: opt.Models,
    march: opt.Marches,
    assume: opt.Assume = None,
    run_on_bpu: opt.RunOnBpu = None,
    input_shape: opt.InputShapes = None,
    what_if: opt.WhatIf = None,
    log: opt.Log = None,
    report: opt.Reports = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Predict the time of a model, node by node and in total, each with a low and a high.

    Two models on one march are compared, too, layer by layer. Needs no weights.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.jobs import jobs, need_one
    from surgery.cli.output import Output
    from surgery.report.cost_diff import cost_diff_document
    from surgery.report.view.costs import totals_page

    out = Output(json, tuple(report or ()), taken=(*models, log), quiet=quiet, verbose=verbose)
    todo, shapes = jobs(models, march, assume), parse.shapes(input_shape or ())
    need_one(todo, log)
    options: dict[str, Any] = {"assume": assume, "run_on_bpu": run_on_bpu or (), "input_shape": shapes, "log": log}
    options["what_if"] = what_if
    done, compared = [], _are_two(models, todo)
    for job in todo:
        with out.attempt(job):
            done.append(api.costed(job.model, march=job.march, **options))
            out.add(done[-1].document, totals_page if compared and not verbose else None)
    if compared and len(done) == len(todo):
        out.add(cost_diff_document(*done))
    out.finish()


def _are_two(models: Sequence[Path], todo: Sequence[Job]) -> bool:
    """Whether two models were named, by themselves, on one march."""
    apart = len({job.path for job in todo})
    return len(todo) == len(models) == apart == 2 and not any(path.is_dir() for path in models)
