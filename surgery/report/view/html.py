"""Content as one HTML page that needs nothing else: inline style and drawings, no script, no network."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from surgery.report.text import interval, number, visible
from surgery.report.view.chart import axis, pieces
from surgery.report.view.content import Page

ROWS = 500
"""Rows of a table that a page shows."""


def to_html(*pages: Page) -> str:
    """The pages as one document, with a table of contents when there are several."""
    return _template().render(pages=pages)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("surgery.report.view"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(visible=visible, interval=interval, num=number, axis=axis, pieces=pieces)
    environment.globals["ROWS"] = ROWS
    environment.tests["block"] = lambda block, kind: type(block).__name__ == kind
    return environment.get_template("page.html.j2")
