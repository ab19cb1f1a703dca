"""``surgery cost``."""

from __future__ import annotations

from typing import Any

from surgery.cli import options as opt


def cost(
    models: opt.Models,
    march: opt.Marches,
    assume: opt.Assume = None,
    run_on_bpu: opt.RunOnBpu = None,
    input_shape: opt.InputShapes = None,
    what_if: opt.WhatIf = None,
    log: opt.Log = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Predict the time of a model, node by node and in total, each with a low and a high.

    Needs no weights.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.jobs import jobs, need_one
    from surgery.cli.output import Output

    out = Output(json, taken=(*models, log), quiet=quiet, verbose=verbose)
    todo, shapes = jobs(models, march, assume), parse.shapes(input_shape or ())
    need_one(todo, log)
    options: dict[str, Any] = {"assume": assume, "run_on_bpu": run_on_bpu or (), "input_shape": shapes, "log": log}
    options["what_if"] = what_if
    for job in todo:
        with out.attempt(job):
            out.add(api.cost(job.model, march=job.march, **options))
    out.finish()
