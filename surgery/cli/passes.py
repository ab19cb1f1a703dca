"""``surgery passes``."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from surgery.cli import options as opt


def passes(
    names: Annotated[list[str] | None, Argument(metavar="[PASS...]", help="These only, with their options.")] = None,
    json: opt.Json = None,
    verbose: opt.Verbose = False,
) -> None:
    """List the passes that are installed, what they promise and their options."""
    from surgery import api
    from surgery.cli.output import Output

    out = Output(json, verbose=verbose or bool(names))
    out.add(api.passes(names))
    out.finish()
