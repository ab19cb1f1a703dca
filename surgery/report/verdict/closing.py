"""The closing of a document; every kind registers its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from surgery.report.base import Document


@dataclass(frozen=True)
class Closing:
    """The last lines: whether all is well, one sentence, the command to type next ("" when there is none)."""

    good: bool
    sentence: str
    next: str = ""


@singledispatch
def closing(_document: Document) -> Closing:
    """The closing of the document."""
    return Closing(True, "")
