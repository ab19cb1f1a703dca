"""``surgery.passes/1`` and ``surgery.marches/1``: the catalogue, with options and sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from surgery.report.base import Document, Part, schema

if TYPE_CHECKING:
    from surgery.pipeline import Pass
    from surgery.target import Target


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
    aliases: tuple[str, ...] = ()
    ops: int = 0
    constraints: int = 0
    estimates: bool = False
    sources: tuple[str, ...] = ()


class MarchesDocument(Document):
    """Every march that is shipped."""

    kind: Literal["surgery.marches/1"] = schema("surgery.marches/1")
    marches: tuple[MarchEntry, ...]


def pass_entry(kind: type[Pass], *, default: bool) -> PassEntry:
    """The entry of a pass at its default options; ``default`` says whether the default pipeline holds it."""
    rules = kind().rules(None)
    return PassEntry(
        name=kind.name,
        summary=kind.summary(),
        purpose=", ".join(kind().purposes(None)),
        exactness=kind().exactness(None),
        cures=tuple(sorted({limit for rule in rules for limit in rule.cures})),
        after=tuple(sorted(kind.after)),
        default=default,
        options=_options(kind.model_json_schema()),
    )


def _options(schema: Mapping[str, Any]) -> tuple[Option, ...]:
    return tuple(
        Option(name=name, type=_type(field), default=field.get("default"), description=field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    )


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "anyOf" in field:
        return " | ".join(map(_type, field["anyOf"]))
    if "items" in field:
        return f"list of {_type(field['items'])}"
    return str(field.get("const", field.get("type", "any")))


def march_entry(target: Target) -> MarchEntry:
    """The entry of a march."""
    march = target.march
    return MarchEntry(
        name=march.march,
        aliases=(*march.boards, *march.aliases),
        ops=len(march.ops),
        constraints=sum(len(op.limits) for op in march.ops.values())
        + len(march.every)
        + len(march.model)
        + len(march.placed),
        estimates=bool(target.cost),
        sources=tuple(f"{name}: {source.where}" for name, source in march.sources.items()),
    )
