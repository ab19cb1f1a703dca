"""``surgery marches``."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from surgery.cli import options as opt


def marches(
    names: Annotated[list[str] | None, Argument(metavar="[MARCH...]", help="These only, with their sources.")] = None,
    json: opt.Json = None,
    verbose: opt.Verbose = False,
) -> None:
    """List the marches, their boards, what is known of them and from where."""
    from surgery import api
    from surgery.cli.output import Output

    out = Output(json, verbose=verbose or bool(names))
    out.add(api.marches(names))
    out.finish()
