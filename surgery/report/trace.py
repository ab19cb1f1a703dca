"""``surgery.explain/1`` and ``surgery.bisect/1``: why a rule fired or refused, and which match broke the numbers."""

from __future__ import annotations

from typing import Literal

from surgery.report.base import Document, ModelRef, Number, Part, Text, renamed, schema


class Reason(Part):
    """What became of one rule at one node; ``at`` is the node or value that a refusal points to."""

    rule: str
    node: Text
    op: Text
    outcome: Literal["applied", "refused", "not-wanted", "not-kept"]
    reason: Text = ""
    at: Text = ""

    @property
    def fires(self) -> bool:
        """Whether the rewrite would stay."""
        return self.outcome == "applied"


class ExplainDocument(Document):
    """Every rule of a pass against every node it looks at."""

    kind: Literal["surgery.explain/1"] = schema("surgery.explain/1")
    model: ModelRef
    march: str
    by: str = renamed("pass")
    reasons: tuple[Reason, ...]


class BisectDocument(Document):
    """The first pass, and its first match, after which an output is beyond its bound; all None when none is."""

    kind: Literal["surgery.bisect/1"] = schema("surgery.bisect/1")
    model: ModelRef
    march: str
    passes: tuple[str, ...]
    guilty: str | None
    match: int | None = None
    rule: str | None = None
    node: Text | None = None
    value: Text | None = None
    drift: Number = None
    reason: Text = ""
