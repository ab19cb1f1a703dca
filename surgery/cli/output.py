"""Where results go: documents to stdout and files, progress to stderr, findings to the exit code."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from surgery.cli.guard import report
from surgery.errors import InputError, SurgeryError

if TYPE_CHECKING:
    from rich.console import Console

    from surgery.cli.jobs import Job
    from surgery.report import Document
    from surgery.report.batch import Failure
    from surgery.report.view import Page

_WIDE = 160  # columns of a page that goes to a file or a pipe


@dataclass
class Output:
    """What one call of a verb prints and writes.

    Args:
        json: file of the JSON document, ``-`` for stdout, which then holds nothing else.
        reports: files of the report, in the format their suffix names.
        html: file of the pages as HTML, one section for each.
        taken: files that no result may overwrite: the models read and written.
        fail_on: the findings that make the exit code 1; all when empty.
        content: from a document to what is shown of it; the usual page when None.
        browse: open the report in HTML when it is written.

    Raises:
        InputError: a file cannot be written, or there is no report to open.
    """

    json: str | None = None
    reports: tuple[Path, ...] = ()
    taken: tuple[Path | None, ...] = ()
    fail_on: frozenset[str] = frozenset()
    quiet: bool = False
    verbose: bool = False
    html: Path | None = None
    content: Callable[[Any], Page] | None = None
    browse: bool = False
    documents: list[Document] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    code: int = 0

    def __post_init__(self) -> None:
        from surgery.report.write import check_report, check_writable

        if self.browse and not any(map(_is_html, self.reports)):
            raise InputError("there is no report to open", where="--open", hint="--report R.html writes one")
        files = [Path(self.json)] if self.json not in (None, "-") else []
        files += [*self.reports, self.html] if self.html else self.reports
        taken = [file.resolve() for file in (*self.taken, *files) if file is not None]
        for file in files:
            if taken.count(file.resolve()) > 1:
                raise InputError("is a model, or another result", where=str(file), hint="name another file")
            (check_report if file in self.reports else check_writable)(file)

    def add(self, document: Document, shown: Callable[[Any], Page] | None = None) -> None:
        """Keep ``document`` for the files and show it, or what ``shown`` makes of it."""
        from surgery.report import findings

        if self.json:
            document.settle()
        self.documents.append(document)
        found = {finding.value for finding in findings(document)}
        if found & self.fail_on if self.fail_on else found:
            self.code = max(self.code, 1)
        self._show(document, shown)

    @contextmanager
    def attempt(self, job: Job) -> Iterator[None]:
        """Work on one job: an error is told and counted, and the others go on; if it is alone, it ends the call."""
        try:
            yield
        except SurgeryError as error:
            if job.alone:
                raise
            from surgery.report.batch import Failure

            self.failures.append(Failure(model=str(job.path), march=job.chip, error=str(error)))
            self.code = max(self.code, report(error, trace=self.verbose))

    def finish(self) -> None:
        """Write the files, and end with the exit code."""
        from surgery.report.batch import as_json
        from surgery.report.write import write_html, write_report, write_text

        if self.json == "-":
            sys.stdout.write(as_json(self.documents, self.failures))
        elif self.json:
            write_text(as_json(self.documents, self.failures), Path(self.json))
        for path in self.reports if self.documents else ():
            write_report(self.documents, path)
        if self.browse and self.documents:
            webbrowser.open(next(filter(_is_html, self.reports)).resolve().as_uri())
        if self.html:
            write_html(map(self._page, self.documents), self.failures, self.html)
        raise typer.Exit(self.code)

    def _show(self, document: Document, shown: Callable[[Any], Page] | None) -> None:
        if self.json == "-":
            return
        from surgery.report.view import show
        from surgery.report.view.terminal import close

        content = (shown or self._page)(document)
        if self.quiet:
            close(content, _console())
        else:
            show(content, _console(), details=self.verbose)

    def _page(self, document: Document) -> Page:
        from surgery.report.view import page

        return (self.content or page)(document)


def _is_html(path: Path) -> bool:
    return path.suffix in (".html", ".htm")


def _console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDE
    return Console(width=width, highlight=False, emoji=False, markup=False)
