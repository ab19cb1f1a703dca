"""What every JSON document is made of: numbers that are finite or null, names that are Unicode, time intervals.

Field names and meanings are the contract of the schema the document names; a change that a reader could notice
is a new version of that schema.
"""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

if TYPE_CHECKING:
    from surgery.ir import Model
    from surgery.ir.store import MappedFile
    from surgery.report.text import Interval


def finite(value: Any) -> float | int | None:
    """``value`` as a plain number, None when it is missing, infinite or not a number."""
    if value is None:
        return None
    plain: float | int = value.item() if hasattr(value, "item") else value
    return plain if math.isfinite(plain) else None


def unicode(value: Any) -> str:
    """``value`` as text that UTF-8 can hold: lone surrogates (paths) are spelt as escapes."""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def scalar(value: Any) -> float | int | str | None:
    """A found or allowed value: numbers stay numbers, everything else becomes text."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return finite(value)
    return None if value is None else unicode(value)


Number = Annotated[float | None, BeforeValidator(finite)]
Text = Annotated[str, BeforeValidator(unicode)]
InputShape = dict[Text, tuple[int, ...]]
"""Sizes that the user stated for inputs, by name: the model was looked at with its inputs static at them."""
Scalar = Annotated[int | float | str | None, BeforeValidator(scalar)]


def schema(name: str) -> Any:
    """The ``schema`` field of a document: always ``name``."""
    return Field(name, serialization_alias="schema", validation_alias=AliasChoices("schema", "kind"))


def renamed(key: str) -> Any:
    """A required field whose key in JSON is a word Python keeps for itself."""
    return Field(serialization_alias=key, validation_alias=key)


class Part(BaseModel):
    """A piece of a document: immutable, unknown keys refused, infinities written as null."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null", validate_by_name=True)


class Document(Part):
    """A whole document, as ``--json`` writes it."""

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """The document as JSON text, two spaces deep, ending in a newline; written to ``path``, too, if given.

        Raises:
            ModelError: the digest of the model was not asked for before, and its file is another one by now.
        """
        self.settle()
        return _written(self.model_dump_json(by_alias=True, indent=2) + "\n", path)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """The document as one self-contained HTML page; written to ``path``, too, if given."""
        from surgery.report.view import page, to_html

        return _written(to_html(page(self)), path)

    def to_markdown(self, path: str | PathLike[str] | None = None) -> str:
        """The document as Markdown; written to ``path``, too, if given."""
        from surgery.report.view import page, to_markdown

        return _written(to_markdown(page(self)), path)

    def settle(self) -> None:
        """Know what was left to be known when it is asked for: the digest of the model; raises ModelError."""
        if isinstance(ref := getattr(self, "model", None), ModelRef):
            _ = ref.sha256

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The document that :meth:`to_json` wrote; raises pydantic's ValidationError for anything else."""
        return cls.model_validate_json(text)


def _written(text: str, path: str | PathLike[str] | None) -> str:
    if path is not None:
        from surgery.report.write import write_text

        write_text(text, Path(path))
    return text


class Span(Part):
    """An estimate: low, middle and high, in the unit its field names."""

    low: Number
    mid: Number
    high: Number

    @classmethod
    def of(cls, interval: Interval) -> Span:
        """The interval, values that are not finite as None."""
        return cls(low=interval.low, mid=interval.mid, high=interval.high)


class Digest:
    """The sha256 of a file as text, by reading the file when it is first asked for."""

    def __init__(self, of: str | MappedFile) -> None:
        self._of = of

    def __str__(self) -> str:
        if not isinstance(self._of, str):
            self._of = self._of.sha256_as_opened
        return self._of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return repr(self._of)

    def __reduce__(self) -> tuple[type[Digest], tuple[str]]:
        return Digest, (str(self),)

    @classmethod
    def valid(cls, value: Any) -> Digest:
        """A digest, or the text of one; raises ValueError for anything else."""
        if not isinstance(value, Digest | str):
            raise ValueError("Input should be a valid string")
        return value if isinstance(value, Digest) else cls(value)


Sha256 = Annotated[
    Digest,
    PlainValidator(Digest.valid),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"title": "Sha256", "type": "string"}),
]


class ModelRef(Part):
    """Which model: the file as given (None in memory), the hash of its ``.onnx`` bytes, opset and IR version."""

    path: Text | None
    digest: Sha256 = renamed("sha256")
    opset: int
    ir_version: int

    @property
    def sha256(self) -> str:
        """The hash; raises ModelError where it was not asked for before and the file is another one by now."""
        return str(self.digest)

    @classmethod
    def of(cls, model: Model) -> ModelRef:
        """The reference of a loaded model."""
        return cls._with(model, Digest(model.sha256))

    @classmethod
    def unread(cls, model: Model) -> ModelRef:
        """The same, which reads the weights in the file only when the hash is asked for."""
        return cls._with(model, Digest("" if model.file is None else model.file))

    @classmethod
    def _with(cls, model: Model, digest: Digest) -> ModelRef:
        path = None if model.path is None else str(model.path)
        return cls(path=path, digest=digest, opset=model.opset, ir_version=model.ir_version)
