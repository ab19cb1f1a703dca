"""What is wrong with a configuration: one finding per key and rule, with the edits that repair it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from surgery.toolchain.conversion.facts import Weight


class Severity(StrEnum):
    """What comes of it, in the order in which findings are listed."""

    PERFORMANCE = "performance"
    """The tool takes it, and the model is slower than it could be."""
    ERROR = "error"
    """The tool refuses the file, or fails on it."""
    WARNING = "warning"
    """The tool takes it, and does something else than the file seems to say, or nothing."""


KeyPath: TypeAlias = tuple[object, ...]
"""Section, key, and keys within its value; they are text but where YAML read something else (``ON`` is true)."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set what is at ``path``, which is made when it is not there."""

    path: KeyPath
    value: object

    def __str__(self) -> str:
        said = str(self.value).lower() if isinstance(self.value, bool) else repr(self.value)
        return f"set {_dotted(self.path)} to {said}"


@dataclass(frozen=True, slots=True)
class Drop:
    """Take out what is at ``path``."""

    path: KeyPath

    def __str__(self) -> str:
        return f"remove {_dotted(self.path)}"


@dataclass(frozen=True, slots=True)
class Rename:
    """Give the key at ``path`` another name, in its place."""

    path: KeyPath
    name: str

    def __str__(self) -> str:
        return f"rename {_dotted(self.path)} to {self.name}"


Edit: TypeAlias = Put | Drop | Rename


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: the name of the rule, such as ``value.choice``.
        path: where, down to the key; empty for the whole file.
        severity: what comes of it.
        text: what was found and what must hold, one sentence.
        source: where the rule comes from, a name among the sources of the tool.
        fix: what to do, "" where that cannot be said.
        edits: what repairs it by itself; none where it takes a decision.
        weight: of a performance finding, how much it matters.
    """

    rule: str
    path: KeyPath
    severity: Severity
    text: str
    source: str
    fix: str = ""
    edits: tuple[Edit, ...] = ()
    weight: Weight | None = None

    @property
    def key(self) -> str:
        """Where, as ``section.key``."""
        return _dotted(self.path)


Findings: TypeAlias = Iterator[Finding]


def _dotted(path: KeyPath) -> str:
    return ".".join(map(str, path))
