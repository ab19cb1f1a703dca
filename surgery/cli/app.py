"""The verbs, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from surgery.cli.asking import Asking
from surgery.cli.bisect import bisect
from surgery.cli.calibrate import calibrate
from surgery.cli.check import check
from surgery.cli.config import config
from surgery.cli.cost import cost
from surgery.cli.diff import diff
from surgery.cli.explain import explain
from surgery.cli.guard import guarded
from surgery.cli.lint import lint
from surgery.cli.marches import marches
from surgery.cli.passes import passes
from surgery.cli.profile import profile
from surgery.cli.run import run
from surgery.cli.tradeoff import tradeoff
from surgery.cli.witness import app as witness

VERBS: tuple[Callable[..., None], ...] = (
    check, run, cost, diff, explain, bisect, tradeoff, profile, calibrate, lint, config, passes, marches,
)  # fmt: skip
"""Every verb, in the order of the help."""

app = typer.Typer(
    name="surgery",
    help="Rewrite ONNX models so that they run well on Horizon and D-Robotics BPUs, and prove what was done.",
    epilog="Exit codes: 0 clean, 1 done with findings, 2 bad input or usage, 3 a defect of this tool.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in VERBS:
    app.command(name=verb.__name__, cls=Asking)(guarded(verb))
app.add_typer(witness, name="witness")


def _version(wanted: bool) -> None:
    if wanted:
        from surgery import __version__

        typer.echo(f"surgery {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """See the verbs below."""


def main() -> None:
    """Run the command line; the process ends with the exit code of the verb."""
    app(prog_name="surgery")
