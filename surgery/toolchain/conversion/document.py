"""A configuration file: read as the tools read it, within bounds, with the lines on which its keys stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from surgery.errors import InputError
from surgery.target import reading
from surgery.toolchain.conversion.finding import KeyPath

HINT = "it is the YAML of hb_mapper makertbin or of hb_compile"


@dataclass(frozen=True)
class Document:
    """What a file says.

    Attributes:
        path: the file.
        text: as it is written, a byte order mark aside.
        data: by section.
    """

    path: Path
    text: str
    data: dict[object, object]

    def line(self, path: KeyPath) -> int | None:
        """The line, from 1, on which a key stands, or what it is in; None where the file does not have the key."""
        line, depth = reading.line_in(self.text, [str(step) for step in path])
        return line if path and depth >= min(2, len(path)) else None


def read(path: Path) -> Document:
    """A configuration file.

    Raises:
        InputError: it cannot be read, is no UTF-8, no YAML, holds tags or a key twice, or is no mapping of sections.
    """
    data = reading.read(path)
    text = path.read_bytes().decode("utf-8-sig")
    _scan(text, path)
    if not isinstance(data, dict) or not data:
        raise InputError("is no configuration: sections with keys are expected", where=str(path), hint=HINT)
    return Document(path, text, data)


def _scan(text: str, path: Path) -> None:
    """Raise what only the parser of the tools stumbles on, which is not the one of :mod:`surgery.target.reading`."""
    try:
        for _ in yaml.scan(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(error.problem or str(error), where=f"{path}{line}") from error
