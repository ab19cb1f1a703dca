"""``surgery witness``: the vendor's own toolchain, installed and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from surgery.cli.guard import guarded, say

if TYPE_CHECKING:
    from surgery.toolchain import Witness

app = typer.Typer(help="The vendor's own toolchain: install it, or say what there is.", no_args_is_help=True)

Yes = Annotated[bool, Option("--yes", "-y", help="Install without asking.")]
Dir = Annotated[Path, Argument(metavar="DIR", help="Folder of the installation.", show_default=False)]
MaybeDir = Annotated[Path | None, Argument(metavar="[DIR]", help="Folder of an installation; looked for without it.")]


def setup(folder: Dir, yes: Yes = False, verbose: Annotated[bool, Option("--verbose", "-v")] = False) -> None:
    """Install the toolchain that D-Robotics publishes into DIR, or repair what is there."""
    from surgery.toolchain.setup import PLAN, install, plan

    steps = plan(folder)
    typer.echo(PLAN.format(folder=folder))
    if not yes and not typer.confirm("Go on?"):
        raise typer.Exit(1)
    install(steps, tell=say)
    status(folder, verbose=verbose)


def status(folder: MaybeDir = None, verbose: Annotated[bool, Option("--verbose", "-v")] = False) -> None:
    """Versions and marches of the toolchain, found out by running it."""
    from surgery.toolchain import find
    from surgery.toolchain.setup import inspect

    found = find(folder or "auto")
    works = inspect(found)
    typer.echo(f"toolchain  {found.root}")
    for name, version in found.packages.items() if verbose else ():
        typer.echo(f"package    {name} {version}")
    for name, value in works.items():
        typer.echo(f"{name:<10} {value}")


@contextmanager
def asked(place: str | None) -> Iterator[Witness | None]:
    """The toolchain that ``--witness`` names, for the time of a verb; None where it was not given."""
    if place is None:
        yield None
        return
    from surgery.toolchain import Witness, find

    with Witness(find(place)) as witness:
        yield witness


for verb in (setup, status):
    app.command(name=verb.__name__)(guarded(verb))
