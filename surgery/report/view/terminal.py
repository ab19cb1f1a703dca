"""Content on a terminal, through rich; every string is a Text, so no name is read as markup or control sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from surgery.report.text import interval, number, plural, shorten, visible
from surgery.report.verdict import Closing
from surgery.report.view.content import (
    Bar,
    Bars,
    Block,
    Cell,
    Lane,
    Note,
    Page,
    Roofline,
    Scatter,
    Section,
    Stack,
    Table,
    Timeline,
)

ROWS = 20
"""Rows of a table that a terminal shows unless details are asked for."""

_STYLES = {"": "", "good": "green", "warn": "yellow", "bad": "bold red", "muted": "dim"}
_PARTS = {"bpu": "green", "folded": "dim", "cpu": "yellow", "refused": "red", "unknown": "magenta", "segment": "dim"}
_WIDTH, _LONG = 40, 50


def show(page: Page, console: Console, *, details: bool = False) -> None:
    """Print ``page``; ``details`` adds the sections of detail and every row."""
    console.print(Text(f"{page.title}  ", "bold").append(visible(page.subject), "dim"))
    if page.facts:
        console.print(_facts(page))
    for section in page.sections:
        if details or not section.detail:
            console.print(_section(section, details))
    if page.closing.sentence:
        console.print()
        _close(page.closing, console)


def close(page: Page, console: Console) -> None:
    """Print the model and the closing of ``page`` alone."""
    if page.closing.sentence:
        console.print(Text(f"{visible(page.subject)}: ", "dim"), end="", soft_wrap=True)
        _close(page.closing, console)


def _close(closing: Closing, console: Console) -> None:
    console.print(Text(visible(closing.sentence), "bold green" if closing.good else "bold yellow"), soft_wrap=True)
    if closing.next:
        console.print(Text("next: ", "dim").append(visible(closing.next), "bold"), soft_wrap=True)


def _facts(page: Page) -> Grid:
    grid = Grid.grid(padding=(0, 2))
    for key, cell in page.facts:
        grid.add_row(Text(key, "dim"), _cell(cell))
    return grid


def _section(section: Section, details: bool) -> Group:
    blocks = [part for block in section.blocks for part in _block(block, details)]
    return Group(
        Text(),
        Text(visible(section.title), "bold underline"),
        *(Padding(b, (0, 0, 0, 1), expand=False) for b in blocks),
    )


def _block(block: Block, details: bool) -> Iterator[RenderableType]:
    match block:
        case Note():
            yield Text(visible(block.text), _STYLES[block.tone])
        case Table():
            if block.caption:
                yield Text(visible(block.caption), "dim")
            yield _grid(block, len(block.rows) if details else ROWS)
            if len(block.rows) > ROWS and not details:
                yield Text(f"… {plural(len(block.rows) - ROWS, 'row')} more: -v shows them, --json has them", "dim")
        case Bars():
            yield from (_bar(bar, _scale(block), block.unit) for bar in block.bars)
        case Stack():
            yield from (_stacked(label, parts) for label, parts in block.rows)
        case Timeline():
            yield from (_lane(lane, block) for lane in block.lanes)
        case Roofline() | Scatter():
            yield from ()  # a chart of hundreds of points has no form in letters; those that count are in a table


def _grid(table: Table, most: int) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(table.columns):
        side: Literal["left", "right"] = "right" if column.numeric else "left"
        cells = [row[index] for row in table.rows[:most]]
        grid.add_column(Text(column.title), justify=side, overflow="fold", min_width=_width(cells))
    for row in table.rows[:most]:
        grid.add_row(*(_cell(cell) for cell in row))
    return grid


def _width(cells: Sequence[Cell]) -> int | None:
    """How narrow a column may get: words stay whole, names fold."""
    if any(cell.code for cell in cells):
        return None
    return min(12, max((len(cell.text) for cell in cells), default=0))


def _cell(cell: Cell) -> Text:
    text = visible(cell.text)
    return Text(shorten(text) if cell.code else text, _STYLES[cell.tone])


def _scale(bars: Bars) -> float:
    return max((bar.high for bar in bars.bars), default=0.0) or 1.0


def _bar(bar: Bar, scale: float, unit: str) -> Text:
    start, middle, end = (round(_WIDTH * value / scale) for value in (bar.low, bar.mid, bar.high))
    drawn = "".join("┃" if i == middle else "━" if start <= i <= end else " " for i in range(_WIDTH + 1))
    return Text(f"{bar.label:<15}").append(drawn, "cyan").append(f" {interval(bar, unit)}")


def _lane(lane: Lane, block: Timeline) -> Text:
    """One character for each part of the time: full where the lane is busy for most of it, pale where for some."""
    busy = [0.0] * _LONG
    for piece in lane.pieces:
        begin, end = (_LONG * at / block.end for at in (piece.begin, piece.begin + piece.length))
        for cell in range(int(begin), min(_LONG, int(end) + 1)):
            busy[cell] += max(0.0, min(end, cell + 1) - max(begin, cell))
    drawn = "".join("█" if share > 0.5 else "░" if share > 0.02 else " " for share in busy)
    text = Text(f"{lane.label:<15}").append(drawn, _PARTS.get(lane.kind, "cyan"))
    return text.append(f" {number(lane.total)} {block.unit}")


def _stacked(label: str, parts: tuple[tuple[str, int], ...]) -> Text:
    total = sum(count for _, count in parts) or 1
    text = Text(f"{visible(label):<11}")
    for kind, count in parts:
        text.append("█" * round(_WIDTH * count / total), _PARTS.get(kind, ""))
    return text.append("  " + ", ".join(f"{count} {kind}" for kind, count in parts if count), "dim")
