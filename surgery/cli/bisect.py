"""``surgery bisect``."""

from __future__ import annotations

from surgery.cli import options as opt


def bisect(
    model: opt.Model,
    pipeline: opt.Pipeline = None,
    march: opt.MaybeMarch = None,
    assume: opt.Assume = None,
    run_on_bpu: opt.RunOnBpu = None,
    inputs: opt.Inputs = None,
    samples: opt.Samples = 4,
    seed: opt.Seed = 0,
    input_shape: opt.InputShapes = None,
    input_range: opt.InputRanges = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Find the first pass, and its first match, that breaks the numbers.

    Exits 1 when there is one.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.output import Output
    from surgery.cli.progress import progress

    out = Output(json, taken=(model,), quiet=quiet, verbose=verbose)
    with progress(quiet=quiet, verbose=verbose) as bar:
        bar.start("bisect")
        document = api.bisect(
            model,
            march=march,
            pipeline=pipeline,
            assume=assume,
            run_on_bpu=run_on_bpu or (),
            inputs=inputs,
            samples=samples,
            seed=seed,
            input_shape=parse.shapes(input_shape or ()),
            input_range=parse.ranges(input_range or ()),
            progress=bar.step,
        )
    out.add(document)
    out.finish()
