"""``surgery calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from surgery.cli import options as opt

Told = Annotated[
    list[str],
    Argument(
        metavar="FILE.csv|MODEL=FILE|MODEL",
        help="Tables; a model with a profile of it; with --witness, models alone.",
        show_default=False,
    ),
]


def calibrate(
    told: Told,
    march: opt.March,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="BOARD.yaml", help="March file to write, for --march.")
    ] = None,
    witness: opt.Witness = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Fit the estimates to times that you measured on your own board.

    A table (CSV: model, and bpu_ms or latency_ms) names models relative to itself; model.onnx=profiler.log takes what
    surgery profile reads; with --witness the vendor's toolchain compiles the models that are named alone. What the
    measurements say nothing of stays as shipped.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.output import Output

    given = parse.measured(told)
    out = Output(json, taken=(*given.paths, output), quiet=quiet, verbose=verbose)
    out.add(
        api.calibrate(
            given.tables, march=march, output=output, profiles=given.profiles, models=given.models, witness=witness
        )
    )
    out.finish()
