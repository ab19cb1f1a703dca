"""``surgery lint``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from surgery.cli import options as opt


class Tool(StrEnum):
    """The tools whose configurations are known."""

    HB_MAPPER = "hb_mapper"
    HB_COMPILE = "hb_compile"


def lint(
    config: Annotated[Path, Argument(metavar="CONFIG.yaml", help="YAML of hb_mapper makertbin or hb_compile.")],
    model: Annotated[Path | None, Option(metavar="MODEL", help="Check names, shapes and layouts against it.")] = None,
    fix: Annotated[bool, Option("--fix", help="Write the file again, repaired; comments and order stay.")] = False,
    migrate: Annotated[Tool | None, Option(help="Write one for the other tool; needs --march and -o.")] = None,
    march: opt.MaybeMarch = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="OUT.yaml", help="Where --fix and --migrate write.")
    ] = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Check the YAML of a conversion tool: what costs speed, what is refused, what does nothing.

    Exits 1 when there is a finding; with --fix or --migrate, when one is left.
    """
    from surgery import api
    from surgery.cli.output import Output

    out = Output(json, taken=(config, model, output), quiet=quiet, verbose=verbose)
    out.add(api.lint(config, model=model, fix=fix, migrate=migrate, march=march, output=output))
    out.finish()
