"""``surgery.passes/1`` and ``surgery.marches/1``: the catalogue, with options and sources."""

from __future__ import annotations

from typing import Any, Literal

from surgery.report.base import Document, Part, schema


class Option(Part):
    """A field of a pass: its type as JSON Schema says it, its default (None when required) and what it means."""

    name: str
    type: str
    default: Any = None
    description: str = ""


class PassEntry(Part):
    """One pass, as weak as the weakest of its rules; ``cures`` are the limits it can satisfy."""

    name: str
    summary: str
    purpose: str
    exactness: str
    cures: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    default: bool = False
    options: tuple[Option, ...] = ()


class PassesDocument(Document):
    """Every pass that is installed."""

    kind: Literal["surgery.passes/1"] = schema("surgery.passes/1")
    passes: tuple[PassEntry, ...]


class MarchEntry(Part):
    """One march: its boards, how much of it is known, and where from."""

    name: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    ops: int = 0
    constraints: int = 0
    estimates: bool = False
    sources: tuple[str, ...] = ()


class MarchesDocument(Document):
    """Every march that is shipped."""

    kind: Literal["surgery.marches/1"] = schema("surgery.marches/1")
    marches: tuple[MarchEntry, ...]
