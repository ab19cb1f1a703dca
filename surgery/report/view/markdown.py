"""Content as Markdown (GitHub's tables)."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from surgery.report.text import interval, number, visible
from surgery.report.view.content import Bar, Cell, Page

ROWS = 200
"""Rows of a table that a Markdown page shows."""

_SYNTAX = re.compile(r"[\\`*<>\[\]#|~&!{}]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


def to_markdown(*pages: Page) -> str:
    """The pages one after the other, ending in a newline."""
    return "\n".join(_template().render(page=page).strip() + "\n" for page in pages)


def plain(text: object) -> str:
    """``text`` as words: every character with a meaning in Markdown or HTML is an entity, so no table cell splits.

    >>> plain("a|b`<x>_conv_1")
    'a&#124;b&#96;&#60;x&#62;&#95;conv_1'
    """
    return _SYNTAX.sub(lambda found: f"&#{ord(found[0])};", visible(text))


def cell(cell: Cell) -> str:
    """A table cell; names are code spans where their characters allow it.

    >>> cell(Cell("Conv_1", code=True)), cell(Cell("a|b", code=True)), cell(Cell(""))
    ('`Conv_1`', 'a&#124;b', '')
    """
    text = visible(cell.text)
    if cell.code and text.strip() and not set(text) & set("`|"):
        return f"`{text}`"
    return plain(text)


def bar(bar: Bar, unit: str) -> str:
    """One interval as words."""
    return f"{bar.label}: {interval(bar, unit)}"


def fenced(text: str) -> str:
    """A code block holding one line, its fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{visible(text)}\n{fence}"


@cache
def _template() -> Template:
    # Not HTML: every value goes through `plain`, `cell` or `fenced`, which is this syntax's escaping.
    environment = Environment(
        loader=PackageLoader("surgery.report.view"),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(plain=plain, cell=cell, bar=bar, fenced=fenced, number=number)
    environment.globals["ROWS"] = ROWS
    environment.tests["block"] = lambda block, kind: type(block).__name__ == kind
    return environment.get_template("page.md.j2")
