"""``surgery profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from surgery.cli import options as opt

Files = Annotated[
    list[Path], Argument(metavar="FILE", help="Profiler logs, perf JSON, build logs of one model.", show_default=False)
]
Compiled = Annotated[Path | None, Option(metavar="MODEL", help="The ONNX file that was compiled, to name its nodes.")]


def profile(
    files: Files,
    model: Compiled = None,
    march: opt.MaybeMarch = None,
    report: opt.Reports = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Say where the time of a frame goes on the board, and which pass or YAML key would help.

    Formats are found by content: what hrt_model_exec perf prints, profiler.log and .csv, the JSON of hb_perf, hbm_perf
    and hb_analyzer, logs of hb_mapper and hb_compile. Exits 1 when operators on the CPU take longer than the BPU.
    """
    from surgery import api
    from surgery.cli.output import Output

    out = Output(json, tuple(report or ()), taken=(*files, model), quiet=quiet, verbose=verbose)
    out.add(api.profile(files, model=model, march=march))
    out.finish()
