"""What a page says, free of any syntax: terminal, Markdown and HTML are three renderings of the same content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from surgery.report.verdict import Closing

Tone = Literal["", "good", "warn", "bad", "muted"]


@dataclass(frozen=True)
class Cell:
    """Text with a tone; ``code`` for names that come from models, ``key`` the number that its row is sorted by.

    ``anchor`` is that of the section of its page that it leads to.
    """

    text: str
    tone: Tone = ""
    code: bool = False
    key: float | None = None
    anchor: str = ""


@dataclass(frozen=True)
class Column:
    """A column's title; numbers are set to the right; a ``choice`` has few values, one of which may be picked."""

    title: str
    numeric: bool = False
    choice: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first column names the row. One that is ``live`` is whole, to be filtered and sorted."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    live: bool = False


@dataclass(frozen=True)
class Bar:
    """One interval of a chart."""

    label: str
    low: float
    mid: float
    high: float
    tone: Tone = ""


@dataclass(frozen=True)
class Bars:
    """Intervals on one axis that starts at zero."""

    title: str
    unit: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Stack:
    """Rows of counts by kind, each drawn as one bar of parts."""

    title: str
    rows: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


@dataclass(frozen=True)
class Stretch:
    """A piece of a lane: where it begins, how long it is, what it is, and the number it has in a table, if any."""

    begin: float
    length: float
    title: str
    number: str = ""


@dataclass(frozen=True)
class Lane:
    """Pieces one after the other, of one kind."""

    label: str
    kind: str
    pieces: tuple[Stretch, ...]

    @property
    def total(self) -> float:
        """How long all pieces are together."""
        return sum(piece.length for piece in self.pieces)


@dataclass(frozen=True)
class Timeline:
    """Lanes over one axis of time that starts at zero; at any time at most one of them is busy."""

    title: str
    unit: str
    end: float
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Point:
    """A layer under the roofline: its intensity, its rate, its share of the time, and its number in a table, if any."""

    intensity: float
    rate: float
    share: float
    kind: str
    title: str
    number: str = ""


@dataclass(frozen=True)
class Roofline:
    """Layers under the two ceilings of a chip: the best rate, and memory's rate times the intensity."""

    title: str
    best: float
    memory: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Dot:
    """A point of a scatter with an interval along the first axis; ``anchor`` names the section that it is about.

    ``reach`` is its interval along the second axis, if it has one.
    """

    x: float
    low: float
    high: float
    y: float
    kind: Literal["front", "other", "reference"]
    title: str
    label: str = ""
    anchor: str = ""
    reach: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scatter:
    """Points over two axes; the front is joined by a line."""

    title: str
    across: str
    up: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Note:
    """A sentence."""

    text: str
    tone: Tone = ""


Block = Table | Bars | Stack | Timeline | Roofline | Scatter | Note


@dataclass(frozen=True)
class Section:
    """A titled part; ``detail`` is left out on the terminal unless asked for, and folded up in HTML unless ``open``.

    ``anchor`` is the name by which cells and dots of its page lead to it, of letters and digits.
    """

    title: str
    blocks: tuple[Block, ...]
    detail: bool = False
    open: bool = False
    anchor: str = ""


@dataclass(frozen=True)
class Page:
    """One document as content: its title, the model it is about, key figures, sections and the closing."""

    title: str
    subject: str
    facts: tuple[tuple[str, Cell], ...] = ()
    sections: tuple[Section, ...] = ()
    closing: Closing = field(default=Closing(True, ""))


def table(head: str, rows: Iterable[Iterable[Cell | str]], caption: str = "") -> Table:
    """A table from its column titles, separated by ``|``: ``#`` begins a column of numbers, ``=`` one of few values."""
    columns = tuple(Column(t.lstrip("#="), t.startswith("#"), t.startswith("=")) for t in head.split("|"))
    cells = (tuple(Cell(c) if isinstance(c, str) else c for c in row) for row in rows)
    return Table(columns, tuple(cells), caption)


def yes_or_no(good: bool) -> Cell:
    """A cell of a fact that is good news when it is so."""
    return Cell("yes", "good") if good else Cell("no", "bad")


def code(text: object, tone: Tone = "") -> Cell:
    """A cell for a name."""
    return Cell(str(text), tone, code=True)
