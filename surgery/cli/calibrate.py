"""``surgery calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from surgery.cli import options as opt


def calibrate(
    files: Annotated[list[Path], Argument(metavar="FILE", help="CSV: model, and bpu_ms or latency_ms.")],
    march: opt.March,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="BOARD.yaml", help="March file to write, for --march.")
    ] = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Fit the estimates to times that you measured on your own board.

    Models are named relative to the CSV file. What the measurements say nothing of stays as shipped.
    """
    from surgery import api
    from surgery.cli.output import Output

    out = Output(json, taken=(*files, output), quiet=quiet, verbose=verbose)
    out.add(api.calibrate(files, march=march, output=output))
    out.finish()
