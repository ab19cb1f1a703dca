"""The wire format of a model, edited without parsing the weights.

A ModelProto of hundreds of MB is a few thousand small messages and some large ``raw_data`` fields. :func:`split`
takes the large fields out, so that protobuf sees some hundred KB; :func:`splice` puts bytes in where a skeleton only
declares them. Both are one walk over the messages that can hold tensors; all other bytes, unknown fields included,
are passed on as they are and in their order.

Format: https://protobuf.dev/programming-guides/encoding. Field numbers: onnx.proto.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from onnx import StringStringEntryProto, TensorProto

from surgery.errors import ModelError
from surgery.ir.external import CUT
from surgery.ir.store import FileSlice, MappedFile, Memory, Source

Piece: TypeAlias = "bytes | memoryview | Source"
Schema: TypeAlias = "Mapping[int, Schema | None]"

TENSOR = None
_graph: dict[int, Schema | None] = {5: TENSOR}
_attribute: Schema = {5: TENSOR, 6: _graph, 10: TENSOR, 11: _graph}
_node: Schema = {5: _attribute}
_graph[1] = _node
MODEL: Schema = {7: _graph, 25: {7: _node, 11: _attribute}}
"""The fields on the way to a dense tensor, by number: graph and functions, then nodes, attributes, bodies."""

MAX_DEPTH = 100
"""Messages inside messages, as protobuf allows."""
SMALL_FILE = 1 << 20
"""A file up to this size goes through protobuf whole."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
KINDS = frozenset({VARINT, FIXED64, BYTES, FIXED32})
DATA_TYPE, SEGMENT, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 2, 3, 9, 13, 14
PACKED_LIKE_RAW = {4: (TensorProto.FLOAT, TensorProto.COMPLEX64), 10: (TensorProto.DOUBLE, TensorProto.COMPLEX128)}
"""Typed data fields whose packed form is the raw form, with the element types of which this holds."""
DATA = frozenset({4, 5, 6, 7, 9, 10, 11})


class Split(NamedTuple):
    """A model without its large weights (bytes of a ModelProto), and these, by the key the skeleton refers to."""

    skeleton: bytes
    blobs: dict[str, Source]


class Field(NamedTuple):
    """One field: number, wire type, where it begins, where its content begins and ends; ``value`` of a varint."""

    number: int
    kind: int
    start: int
    body: int
    end: int
    value: int


_field = partial(tuple.__new__, Field)
"""A field of its six parts, without the detour of its constructor: a file has thousands."""

Edit: TypeAlias = "Callable[[memoryview, int, int], list[Piece] | None]"
"""From the place of a tensor to its new content, or None to leave it."""


def split(source: str | os.PathLike[str] | bytes | memoryview, min_bytes: int = 4096) -> Split:
    """Take the weights of at least ``min_bytes`` out of a model file or the bytes of one.

    Of a file up to 1 MiB nothing is taken out. Tensors in If, Loop and Scan bodies and in Constant nodes count too;
    sparse tensors and data packed as varints stay. :meth:`Weight.from_proto` finds what was taken.

    Raises:
        InputError: the file cannot be opened.
        ModelError: it is empty, ends too early or is no ModelProto; says at which byte.
    """
    if isinstance(source, (bytes, memoryview)):
        return _split(memoryview(source), lambda at, size: Memory(memoryview(source)[at : at + size]), min_bytes)
    file = MappedFile(source)
    try:
        if file.size <= SMALL_FILE:
            data = b"".join(file.chunks(0, file.size))
            return _split(memoryview(data), lambda at, size: Memory(memoryview(data)[at : at + size]), SMALL_FILE)
        return _split(file.view, lambda at, size: FileSlice(file, at, size), min_bytes)
    except ModelError as error:
        raise ModelError(error.what, where=str(source), hint=error.hint) from error


def splice(skeleton: bytes, mark: bytes, content: Callable[[TensorProto], list[Piece] | None]) -> list[Piece]:
    """The pieces of the model in which ``content`` stands for its tensors; those for which it is None stay.

    Only tensors whose message contains the bytes ``mark`` are looked at.
    """

    def edit(view: memoryview, start: int, end: int) -> list[Piece] | None:
        return content(TensorProto.FromString(bytes(view[start:end])))

    marks = _Marks(skeleton, mark)
    return _Walk(memoryview(skeleton), edit, marks.within).message(0, len(skeleton), MODEL) or [skeleton]


def chunks(piece: Piece) -> Iterable[bytes | memoryview]:
    """The bytes of a piece, those of a source in parts of at most 1 MiB."""
    return (piece,) if isinstance(piece, (bytes, memoryview)) else piece.chunks()


def size_of(pieces: list[Piece]) -> int:
    """Number of bytes of all pieces together."""
    return sum(len(p) if isinstance(p, (bytes, memoryview)) else p.length for p in pieces)


class _Walk:
    """Edits the tensors of one buffer; ``wanted`` says which spans of it are worth looking into."""

    def __init__(self, view: memoryview, edit: Edit, wanted: Callable[[int, int], bool]) -> None:
        self.view, self.edit, self.wanted = view, edit, wanted

    def message(self, start: int, end: int, schema: Schema, depth: int = 0) -> list[Piece] | None:
        """The new content of the message at ``start`` to ``end``, None when nothing in it changes."""
        if depth > MAX_DEPTH:
            raise ModelError(f"is nested deeper than {MAX_DEPTH} messages at byte {start}")
        pieces: list[Piece] = []
        kept = start
        for field in fields(self.view, start, end):
            number, kind, _, body, stop, _ = field
            if kind != BYTES or number not in schema or not self.wanted(body, stop):
                continue
            if (new := self._field(field, schema[field.number], depth)) is not None:
                pieces += [self.view[kept : field.start], varint(field.number << 3 | BYTES), varint(size_of(new)), *new]
                kept = field.end
        return [*pieces, self.view[kept:end]] if pieces else None

    def _field(self, field: Field, inner: Schema | None, depth: int) -> list[Piece] | None:
        if inner is TENSOR:
            return self.edit(self.view, field.body, field.end)
        return self.message(field.body, field.end, inner, depth + 1)


class _Marks:
    """The places of ``mark`` in ``data``."""

    def __init__(self, data: bytes, mark: bytes) -> None:
        self.places: list[int] = []
        at = data.find(mark)
        while at >= 0:
            self.places.append(at)
            at = data.find(mark, at + 1)

    def within(self, start: int, end: int) -> bool:
        """Whether a mark begins in ``start`` to ``end``."""
        return bisect_left(self.places, start) < bisect_left(self.places, end)


def _split(view: memoryview, take: Callable[[int, int], Source], min_bytes: int) -> Split:
    _check_model(view)
    blobs: dict[str, Source] = {}

    def cut(view: memoryview, start: int, end: int) -> list[Piece] | None:
        data = _raw_field(view, start, end)
        if data is None or data.end - data.body < min_bytes:
            return None
        blobs[str(data.body)] = take(data.body, data.end - data.body)
        return [view[start : data.start], view[data.end : end], _reference(data)]

    pieces = _Walk(view, cut, lambda start, end: end - start >= min_bytes).message(0, len(view), MODEL)
    return Split(b"".join(p for p in pieces or [view] if isinstance(p, (bytes, memoryview))), blobs)


def _check_model(view: memoryview) -> None:
    """Refuse what is no ModelProto at all: another file, an empty one, one without a graph."""
    if not len(view):
        raise ModelError("is empty")
    if bytes(view[:23]) == b"version https://git-lfs":
        raise ModelError("is a git-lfs pointer, not the model itself", hint="git lfs pull")
    kinds = {field.number: field.kind for field in fields(view, 0, len(view))}
    if kinds.get(7) != BYTES or kinds.get(1, VARINT) != VARINT:
        raise ModelError("not an ONNX model: there is no graph in it")


def _raw_field(view: memoryview, start: int, end: int) -> Field | None:
    """The one field with the data of a tensor in raw form; None for all other ways to hold data."""
    data, elem_type = [], 0
    for field in fields(view, start, end):
        if field.number in DATA:
            data.append(field)
        elif field.number == DATA_TYPE:
            elem_type = field.value
        elif field.number in (SEGMENT, EXTERNAL_DATA) or (field.number == DATA_LOCATION and field.value):
            return None
    if len(data) != 1 or data[0].kind != BYTES:
        return None
    number = data[0].number
    return data[0] if number == RAW_DATA or elem_type in PACKED_LIKE_RAW.get(number, ()) else None


def _reference(data: Field) -> bytes:
    """The fields by which a tensor refers to its data at ``data`` of the file."""
    entries = {"location": CUT, "offset": str(data.body), "length": str(data.end - data.body)}
    external = [StringStringEntryProto(key=k, value=v) for k, v in entries.items()]
    return TensorProto(data_location=TensorProto.EXTERNAL, external_data=external).SerializeToString()


def filled(tensor: TensorProto, source: Source) -> list[Piece]:
    """The wire form of the external ``tensor`` with ``source`` as its raw data, as protobuf would write it."""
    head, tail = TensorProto(), TensorProto()
    head.CopyFrom(tensor)
    head.DiscardUnknownFields()
    tail.CopyFrom(tensor)
    for name in ("doc_string", "metadata_props", "external_data", "data_location"):
        head.ClearField(name)
    for name in ("dims", "data_type", "name", "external_data", "data_location"):
        tail.ClearField(name)
    length = varint(RAW_DATA << 3 | BYTES) + varint(source.length)
    return [head.SerializeToString() + length, source, tail.SerializeToString()]


def fields(view: memoryview, start: int, end: int) -> Iterator[Field]:
    """The fields of the message at ``start`` to ``end``; raises ModelError where they do not fit into it."""
    at = start
    while at < end:
        tag, body = view[at], at + 1  # one byte nearly always
        if tag > 127:
            tag, body = _varint(view, at, end)
        kind, value, stop = tag & 7, 0, body
        if kind == BYTES:
            size = view[body] if body < end else 128
            if size < 128:
                body += 1
            elif body + 1 < end and (high := view[body + 1]) < 128:  # two bytes are most of the others
                size, body = size & 127 | high << 7, body + 2
            else:
                size, body = _varint(view, body, end)
            stop = body + size
        elif kind == VARINT:
            value, stop = _varint(view, body, end)
        elif kind in (FIXED32, FIXED64):
            stop = body + (4 if kind == FIXED32 else 8)
        if tag < 8 or kind not in KINDS:
            raise ModelError(f"not an ONNX model: byte {at} begins no field of one")
        if stop > end:
            raise ModelError(f"truncated or not an ONNX model: byte {at} announces a field up to byte {stop} of {end}")
        yield _field((tag >> 3, kind, at, body, stop, value))
        at = stop


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """The variable-length integer at ``at``, and where the next thing begins."""
    value = shift = 0
    for place in range(at, min(end, at + 10)):
        byte = view[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place + 1
        shift += 7
    raise ModelError(f"truncated or not an ONNX model: byte {at} begins a number without an end")


def varint(value: int) -> bytes:
    """The wire form of a natural number."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
