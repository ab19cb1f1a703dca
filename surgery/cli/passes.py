"""``surgery passes``."""

from __future__ import annotations

import sys
from typing import Annotated

from typer import Argument, Option

from surgery.cli import options as opt


def passes(
    names: Annotated[list[str] | None, Argument(metavar="[PASS...]", help="These only, with their options.")] = None,
    space: Annotated[bool, Option("--space", help="Print the YAML of what may be varied, for tradeoff.")] = False,
    json: opt.Json = None,
    verbose: opt.Verbose = False,
) -> None:
    """List the passes that are installed, what they promise and their options."""
    from surgery import api
    from surgery.cli.output import Output

    if space:
        _print_space(names, json)
        return

    out = Output(json, verbose=verbose or bool(names))
    out.add(api.passes(names))
    out.finish()


def _print_space(names: list[str] | None, json: str | None) -> None:
    from surgery.errors import InputError
    from surgery.tradeoff import derived

    if json is not None:
        raise InputError("a space is YAML and has no JSON document", where="--json")
    sys.stdout.write(derived(names))
