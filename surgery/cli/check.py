"""``surgery check``."""

from __future__ import annotations

from surgery.cli import options as opt


def check(
    models: opt.Models,
    march: opt.Marches,
    assume: opt.Assume = None,
    json: opt.Json = None,
    fail_on: opt.FailOn = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Say where every node would run, which limits it breaks, and which pass cures it.

    Needs no weights. Exits 1 when the toolchain would refuse the model, or a node is on the CPU or unknown.
    """
    from surgery import api
    from surgery.cli.jobs import jobs
    from surgery.cli.output import Output

    out = Output(json, taken=tuple(models), fail_on=frozenset(fail_on or ()), quiet=quiet, verbose=verbose)
    for job in jobs(models, march, assume):
        with out.attempt(job):
            out.add(api.check(job.model, march=job.march, assume=assume))
    out.finish()
