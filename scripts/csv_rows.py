"""Tables of NamedTuples as CSV, and scripts that go on where theirs ends."""

from __future__ import annotations

import csv
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_type_hints

import asking

from surgery.toolchain import Witness

Row = TypeVar("Row", bound="tuple[Any, ...]")
More: TypeAlias = "Callable[[Witness, str, Sequence[Row], float], Iterator[Row]]"
"""Asks the toolchain about a march what is not among the rows there are, with so many seconds for each model."""


def read(kind: type[Row], path: Path | None) -> list[Row]:
    """The rows of a table of ``kind``, a NamedTuple of texts and numbers; none where there is no file."""
    if path is None or not path.exists():
        return []
    cast = get_type_hints(kind)
    with path.open(newline="") as file:
        return [kind(**{name: cast[name](text) for name, text in line.items()}) for line in csv.DictReader(file)]


def write(kind: type[Row], rows: Iterable[Row], path: Path) -> None:
    """Write the table anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([tuple(get_type_hints(kind)), *rows])


def extend(doc: str | None, arguments: Sequence[str], out: Path, kind: type[Row], more: More[Row]) -> int:
    """A script that compiles what is missing in the table at ``out`` and writes it, row by row; its exit code."""
    parser = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--limit", type=float, default=300, help="seconds per network")
    parser.add_argument("--out", type=Path, default=out)
    chosen = parser.parse_args(arguments)

    def ask(witness: Witness) -> None:
        rows = read(kind, chosen.out)
        for march in chosen.march or asking.MARCHES:
            for row in more(witness, march, tuple(rows), chosen.limit):
                rows.append(row)
                print(*row, flush=True)
                write(kind, rows, chosen.out)

    return asking.asked(chosen.witness, ask)
