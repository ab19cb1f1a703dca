"""``surgery.batch/1``: the documents of one call over several models or marches, and what could not be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import SerializeAsAny

from surgery.report.base import Document, Part, Text, schema


class Failure(Part):
    """A model that could not be worked on, and the message that was given."""

    model: Text
    march: str
    error: Text


class BatchDocument(Document):
    """Every document in the order of the models and, for each, of the marches."""

    kind: Literal["surgery.batch/1"] = schema("surgery.batch/1")
    documents: tuple[SerializeAsAny[Document], ...]
    failures: tuple[Failure, ...] = ()

    def settle(self) -> None:
        """Know what was left to be known of each document."""
        for document in self.documents:
            document.settle()


def as_json(documents: Sequence[Document], failures: Sequence[Failure] = ()) -> str:
    """The JSON of one document as it is, of several (or of failures) as a batch."""
    if len(documents) == 1 and not failures:
        return documents[0].to_json()
    return BatchDocument(documents=tuple(documents), failures=tuple(failures)).to_json()
