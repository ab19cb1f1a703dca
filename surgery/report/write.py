"""Reports as files: the place is tried before any work is done, and a file is whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from surgery.errors import InputError
from surgery.report.base import Document
from surgery.report.batch import Failure, as_json
from surgery.report.view import Page, failure_page, page, to_html, to_markdown


def _html(documents: Sequence[Document]) -> str:
    return to_html(*map(page, documents))


def _markdown(documents: Sequence[Document]) -> str:
    return to_markdown(*map(page, documents))


FORMATS: dict[str, Callable[[Sequence[Document]], str]] = {
    ".html": _html,
    ".htm": _html,
    ".md": _markdown,
    ".json": as_json,
}
"""How a report is rendered, by the suffix of its file."""


def check_report(path: Path) -> None:
    """InputError unless ``path`` has a suffix of :data:`FORMATS` and can be written."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"no report format for {path.suffix!r}", where=str(path), hint=f"use {', '.join(FORMATS)}")
    check_writable(path)


def check_writable(path: Path) -> None:
    """InputError unless a file can be made at ``path``: its folder is there and takes a new file."""
    if path.is_dir():
        raise InputError("is a folder, a file is needed", where=str(path))
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:40]}."):
            pass
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(path)) from error


def need_apart(path: Path, *read: Path | None) -> None:
    """InputError where ``path`` is one of the files that are ``read``, or written beside it."""
    if path.resolve() in {file.resolve() for file in read if file is not None}:
        raise InputError("is a model, or another result", where=str(path), hint="name another file")


def write_report(documents: Sequence[Document], path: Path) -> None:
    """Write ``documents`` in the format the suffix of ``path`` names."""
    write_text(FORMATS[path.suffix.lower()](documents), path)


def write_html(pages: Iterable[Page], failures: Iterable[Failure], path: Path) -> None:
    """Write ``pages`` as one HTML file, a section for each, and one for each model that could not be worked on."""
    write_text(to_html(*pages, *map(failure_page, failures)), path)


def write_text(text: str, path: Path) -> None:
    """Write ``text`` as UTF-8 beside ``path``, then rename; InputError leaves what was there."""
    beside = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name[:40]}.", delete=False
        ) as file:
            beside = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
