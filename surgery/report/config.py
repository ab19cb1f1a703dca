"""``surgery.config/1``: the configuration that was written for a model."""

from __future__ import annotations

from typing import Any, Literal

from surgery.report.base import Document, ModelRef, Text, schema
from surgery.report.lint import FindingRow
from surgery.report.removal import RemovalPart


class ConfigDocument(Document):
    """A configuration of the tool for ``march``, which takes the model itself where it is ``accepted``.

    ``path`` is the file, ``command`` what converts the model by it, ``settings`` its values by section and key,
    ``notes`` what was decided and why; ``findings`` are those of its lint, none of them an error; ``removal`` says
    what the types to remove take off.
    """

    kind: Literal["surgery.config/1"] = schema("surgery.config/1")
    path: Text
    tool: str
    march: str
    model: ModelRef
    accepted: bool
    command: Text
    settings: dict[str, dict[str, Any]]
    notes: tuple[Text, ...] = ()
    findings: tuple[FindingRow, ...] = ()
    removal: RemovalPart | None = None
    sources: dict[str, str]
