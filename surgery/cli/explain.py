"""``surgery explain``."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from surgery.cli import options as opt


def explain(
    model: opt.Model,
    pass_: Annotated[str, Option("--pass", metavar="PASS", help="The pass to ask.", show_default=False)],
    node: Annotated[str | None, Option(metavar="NAME", help="Only this node.")] = None,
    march: opt.MaybeMarch = None,
    assume: opt.Assume = None,
    run_on_bpu: opt.RunOnBpu = None,
    pipeline: opt.Before = None,
    input_shape: opt.InputShapes = None,
    log: opt.Log = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Say why the rules of a pass fire or refuse, node by node."""
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.output import Output

    out = Output(json, taken=(model, log), quiet=quiet, verbose=verbose or node is not None)
    shapes = parse.shapes(input_shape or ())
    document = api.explain(
        model,
        pass_,
        march=march,
        node=node,
        pipeline=pipeline,
        assume=assume,
        run_on_bpu=run_on_bpu or (),
        input_shape=shapes,
        log=log,
    )
    out.add(document)
    out.finish()
