"""Content as one HTML page that needs nothing else: inline style and drawings, no network.

A page with a live table carries one script of ours, to filter and sort it; its hash is the only one that may run, so
that no name can be a script even if it got out of its text. Without scripts the table is a plain one.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined

from surgery.report.text import amount, interval, number, visible
from surgery.report.view.chart import axis, pieces, plot, ticks
from surgery.report.view.content import Page, Table
from surgery.report.view.scatter import scatter

ROWS = 500
"""Rows of a table that a page shows, unless it is live."""


def to_html(*pages: Page) -> str:
    """The pages as one document, with a table of contents when there are several."""
    environment = _environment()
    script = environment.get_template("live.js").render() if any(map(_is_live, pages)) else ""
    return environment.get_template("page.html.j2").render(pages=pages, script=script)


def _is_live(page: Page) -> bool:
    return any(isinstance(block, Table) and block.live for section in page.sections for block in section.blocks)


def _digest(script: str) -> str:
    """What a Content-Security-Policy calls this script."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("surgery.report.view"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(visible=visible, interval=interval, num=number, amount=amount, digest=_digest)
    environment.filters.update(axis=axis, pieces=pieces, ticks=ticks, plot=plot, scatter=scatter)
    environment.globals["ROWS"] = ROWS
    environment.tests["block"] = lambda block, kind: type(block).__name__ == kind
    return environment
