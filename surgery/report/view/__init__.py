"""Views of the documents: one content, rendered as a terminal page, Markdown or a self-contained HTML page."""

from __future__ import annotations

from surgery.report.view.content import Page
from surgery.report.view.html import to_html
from surgery.report.view.markdown import to_markdown
from surgery.report.view.page import failure_page, page
from surgery.report.view.terminal import show

__all__ = ["Page", "failure_page", "page", "show", "to_html", "to_markdown"]
