"""A progress bar on stderr where that is a terminal; lines of text where they were asked for; else nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from surgery.cli.guard import say

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """What long work reports to; this one says nothing."""

    def start(self, name: str, steps: int | None = None) -> None:
        """Begin with ``name``, a task of so many steps (None when nobody knows)."""

    def step(self, name: str) -> None:
        """The step ``name`` begins."""

    def count(self, done: int, total: int) -> None:
        """So many of the steps are done."""


class _Lines(Bar):
    """One line per step."""

    def __init__(self) -> None:
        self._task = ""

    def start(self, name: str, steps: int | None = None) -> None:
        self._task = name

    def step(self, name: str) -> None:
        say(f"{self._task}: {name}")

    def count(self, done: int, total: int) -> None:
        say(f"{self._task}: {done} of {total}")


class _Drawn(Bar):
    """A bar that is redrawn in place."""

    def __init__(self, drawn: Progress) -> None:
        self._drawn, self._task, self._name, self._done = drawn, drawn.add_task("", total=None), "", -1

    def start(self, name: str, steps: int | None = None) -> None:
        self._name, self._done = name, -1
        self._drawn.reset(self._task, total=steps, description=_visible(name))

    def step(self, name: str) -> None:
        self._done += 1
        self._drawn.update(self._task, completed=self._done, description=_visible(f"{self._name}: {name}"))

    def count(self, done: int, total: int) -> None:
        self._drawn.update(self._task, completed=done, total=total)


def _visible(text: str) -> str:
    from surgery.report.text import visible

    return visible(text)


@contextmanager
def progress(*, quiet: bool = False, verbose: bool = False) -> Iterator[Bar]:
    """The bar that fits where stderr goes."""
    if quiet or not sys.stderr.isatty():
        yield _Lines() if verbose and not quiet else Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        yield _Drawn(drawn)
