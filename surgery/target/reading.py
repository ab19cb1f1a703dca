"""YAML files of a user, read within bounds, and the lines on which their keys stand.

The C parser reads and builds; a second, slower reading that keeps the lines is done only when an error is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from surgery.errors import InputError

LARGEST = 1 << 20
"""Bytes of a file."""
DEEPEST = 40
"""Collections within collections; the builder would otherwise run out of stack."""
MOST = 100_000
"""Values of a file, each counted as often as aliases repeat it."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader, for which a key written twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; raises ConstructorError at the second of two equal keys."""
        seen: set[str] = set()
        for key in (k for k, _ in node.value if isinstance(k, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value}: written twice", key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def read(path: Path) -> Any:
    """What a YAML file holds; InputError, at its line if it has one, when it cannot be read or is out of bounds."""
    text = _text(path)
    try:
        _bounded(text, path)
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(error.problem or str(error), where=f"{path}:{mark.line + 1}" if mark else str(path)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"cannot be read ({' '.join(str(error).split())})", where=str(path)) from error
    if (values := _count(data, {})) > MOST:
        raise InputError(f"aliases make {values} values of it, at most {MOST}", where=str(path))
    return data


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise InputError(f"has {size} bytes, at most {LARGEST}", where=str(path))
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        said = f"is not UTF-8 text (byte 0x{byte:02x} at offset {error.start})"
        raise InputError(said, where=str(path), hint="save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=str(path)) from error


def _bounded(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise InputError(f"collections are nested more than {DEEPEST} deep", where=f"{path}:{_line(event)}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _count(data: Any, known: dict[int, int]) -> int:
    """How many values ``data`` unfolds to; one that holds itself counts as more than any bound."""
    if not isinstance(data, (dict, list)):
        return 1
    if id(data) not in known:
        known[id(data)] = MOST + 1
        parts = data.values() if isinstance(data, dict) else data
        known[id(data)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(data)]


def line_of(path: Path, keys: Sequence[str | int]) -> tuple[int, int]:
    """The line, from 1, of the deepest of nested ``keys`` that the file has, and how many of them it has."""
    return line_in(_text(path), keys)


def line_in(text: str, keys: Sequence[str | int]) -> tuple[int, int]:
    """The same in the text of a file."""
    node = yaml.compose(text, Loader=_Base)
    line, depth = 1, 0
    for key in keys:
        found = _step(node, key)
        if found is None:
            break
        line, node = found
        depth += 1
    return line, depth


def _step(node: yaml.Node | None, key: str | int) -> tuple[int, yaml.Node] | None:
    """Line and value of one key (which may stand among several, parted by blanks) or index."""
    if isinstance(node, yaml.MappingNode):
        named = {str(name.value): (name.start_mark.line + 1, value) for name, value in node.value}
        return named.get(str(key)) or next((named[text] for text in named if str(key) in text.split()), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    return None
