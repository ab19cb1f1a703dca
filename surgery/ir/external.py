"""External data of tensors: which bytes of which file, checked before any of them is read.

A model comes from anywhere, so its data may only lie in regular files below the model's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from weakref import WeakValueDictionary

from onnx import TensorProto

from surgery.errors import ModelError
from surgery.ir.store import Absent, FileSlice, MappedFile, Source

CUT = "\x00surgery"
"""The location of a tensor whose data was cut out of the model's own file; ``offset`` is its key."""

_BESIDE = "put the data into the folder of the model and name it relative to that"
_open_files: WeakValueDictionary[tuple[str, str], MappedFile] = WeakValueDictionary()


def locate(tensor: TensorProto, size: int, base: Path | None, blobs: Mapping[str, Source]) -> Source:
    """The ``size`` bytes of external data of ``tensor``.

    :class:`Absent` when the file does not exist, or when there is no folder to look in. Raises ModelError when the
    location is empty, absolute or outside ``base`` (also through symbolic links), when the file is too short or not
    a regular one, when offset or length are no natural numbers, and when the length is not ``size``.
    """
    try:
        return _locate({e.key: e.value for e in tensor.external_data}, size, base, blobs)
    except ModelError as error:
        raise ModelError(f"external data {error.what}", where=f"tensor '{tensor.name}'", hint=error.hint) from error


def _locate(entries: dict[str, str], size: int, base: Path | None, blobs: Mapping[str, Source]) -> Source:
    location = entries.get("location", "")
    offset, length = _natural(entries, "offset", 0), _natural(entries, "length", size)
    if length != size:
        raise ModelError(f"has {length} bytes, its type and shape need {size}")
    if location == CUT and entries.get("offset") in blobs:
        return _sized(blobs[entries["offset"]], size)
    _check_name(location)
    if base is None:
        return Absent(location, size)
    file = _file(base, location)
    if file is None:
        return Absent(str(base / location), size)
    if offset + size > file.size:
        raise ModelError(f"needs bytes {offset} to {offset + size} of {location!r}, which has only {file.size}")
    return FileSlice(file, offset, size)


def _sized(blob: Source, size: int) -> Source:
    if blob.length != size:
        raise ModelError(f"has {blob.length} bytes, its type and shape need {size}")
    return blob


def _natural(entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, "") or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ModelError(f"has the {key} {text[:40]!r}, which is no natural number")
    return int(text)


def _check_name(location: str) -> None:
    """Refuse what is no relative path at all, on any system."""
    if not location or "\0" in location:
        raise ModelError(f"has no usable location: {location!r}")
    if Path(location).is_absolute() or PureWindowsPath(location).anchor:
        raise ModelError(f"has the absolute location {location!r}", hint=_BESIDE)


def _file(base: Path, location: str) -> MappedFile | None:
    """The open data file, or None when it does not exist. Files in use are opened and checked once."""
    path = base / location
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.parent != base or os.path.lexists(path):  # a link that leads nowhere may lead outside
            _check_inside(base, path, location)
        return None
    except OSError as error:
        raise ModelError(f"{location!r} cannot be read: {error.strerror}") from error
    known = _open_files.get((str(base), location))
    if known is not None and os.path.samestat(os.fstat(known.fd), state):
        return known
    _check_inside(base, path, location)
    _open_files[str(base), location] = file = MappedFile(path)
    return file


def _check_inside(base: Path, path: Path, location: str) -> None:
    if not path.resolve().is_relative_to(base.resolve()):
        raise ModelError(f"{location!r} lies outside the model's folder", hint=_BESIDE)
