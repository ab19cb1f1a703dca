"""``surgery check``."""

from __future__ import annotations

from surgery.cli import options as opt


def check(
    models: opt.Models,
    march: opt.Marches,
    assume: opt.Assume = None,
    input_shape: opt.InputShapes = None,
    witness: opt.Witness = None,
    log: opt.Log = None,
    json: opt.Json = None,
    fail_on: opt.FailOn = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Say where every node would run, which limits it breaks, and which pass cures it.

    Needs no weights. Exits 1 when the toolchain would refuse the model, or a node is on the CPU or unknown.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.jobs import jobs, need_one
    from surgery.cli.output import Output
    from surgery.cli.witness import asked

    out = Output(json, taken=(*models, log), fail_on=frozenset(fail_on or ()), quiet=quiet, verbose=verbose)
    todo, shapes = jobs(models, march, assume), parse.shapes(input_shape or ())
    need_one(todo, log)
    with asked(witness) as toolchain:
        for job in todo:
            with out.attempt(job):
                source = job.model if toolchain is None else job.path
                out.add(
                    api.check(source, march=job.march, assume=assume, input_shape=shapes, witness=toolchain, log=log)
                )
    out.finish()
