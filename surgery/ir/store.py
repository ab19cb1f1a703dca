"""Where the bytes of weights live: memory, a slice of a file, or a file that is absent.

A file is opened once, when the model is loaded, and mapped when the first of its bytes is asked for. The open
descriptor keeps the content that was loaded: replacing or removing the file by name afterwards does no harm.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeVar

from surgery.errors import DefectError, InputError, ModelError, WeightsMissing

CHUNK = 1 << 20
T = TypeVar("T")


class Source(Protocol):
    """Where the bytes of a weight are."""

    @property
    def length(self) -> int:
        """Number of bytes."""

    def read(self) -> memoryview:
        """All bytes at once, as a view."""

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The bytes in pieces of at most 1 MiB, without paging a mapping in."""


class MappedFile:
    """One regular file, open for reading as long as anything refers to it.

    Raises InputError when it cannot be opened, ModelError when it is no regular file (opening a pipe would hang).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise ModelError("is not a regular file", where=str(path))
            self.fd = _with_descriptors(lambda: os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error
        weakref.finalize(self, os.close, self.fd)
        self.size, self._written = self._state()

    @cached_property
    def sha256(self) -> str:
        """Of the whole content; raises ModelError when the file became shorter."""
        digest = sha256()
        for piece in self.chunks(0, self.size):
            digest.update(piece)
        return digest.hexdigest()

    @property
    def sha256_as_opened(self) -> str:
        """The same, at any later time; raises ModelError when the file was written to since it was opened."""
        found = self.sha256
        if self._state() != (self.size, self._written):
            what = "was written to after it was read, and its digest was not asked for before"
            raise ModelError(what, where=str(self.path), hint="ask for document.model.sha256 before")
        return found

    def _state(self) -> tuple[int, int]:
        """Size in bytes, and when the file was last written to."""
        found = os.fstat(self.fd)
        return found.st_size, found.st_mtime_ns

    @cached_property
    def view(self) -> memoryview:
        """The whole content, read-only, paged in when touched."""
        if not self.size:  # an empty file cannot be mapped
            return memoryview(b"")
        return memoryview(_with_descriptors(lambda: mmap.mmap(self.fd, 0, access=mmap.ACCESS_READ)))

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        """``length`` bytes from ``offset`` in pieces of at most 1 MiB, by read: the mapping stays untouched."""
        while length:
            piece = os.pread(self.fd, min(CHUNK, length), offset)
            if not piece:
                raise ModelError(f"became shorter while it was read: nothing at byte {offset}", where=str(self.path))
            offset, length = offset + len(piece), length - len(piece)
            yield piece


@dataclass(frozen=True, eq=False)
class Memory:
    """Bytes held in memory."""

    view: memoryview

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.view.nbytes

    def read(self) -> memoryview:
        """The bytes."""
        return self.view

    def chunks(self) -> Iterator[memoryview]:
        """The bytes in pieces of at most 1 MiB."""
        return (self.view[at : at + CHUNK] for at in range(0, self.length, CHUNK))


@dataclass(frozen=True)
class FileSlice:
    """``length`` bytes at ``offset`` of a file; equal when file, offset and length are."""

    file: MappedFile
    offset: int
    length: int

    def read(self) -> memoryview:
        """The bytes, paged in when touched."""
        return self.file.view[self.offset : self.offset + self.length]

    def chunks(self) -> Iterator[bytes]:
        """The bytes in pieces of at most 1 MiB, leaving the mapping untouched."""
        return self.file.chunks(self.offset, self.length)


@dataclass(frozen=True)
class Absent:
    """``length`` bytes that should be in a file that is not there."""

    path: str
    length: int

    def read(self) -> memoryview:
        """Raises WeightsMissing."""
        raise WeightsMissing("the external data file is missing", where=self.path, hint="put it beside the model")

    def chunks(self) -> Iterator[memoryview]:
        """Raises WeightsMissing."""
        return iter((self.read(),))


@dataclass(frozen=True)
class Strings:
    """The elements of a string tensor, which has no raw form."""

    values: tuple[bytes, ...]

    @property
    def length(self) -> int:
        """Number of bytes of all elements."""
        return sum(map(len, self.values))

    def read(self) -> memoryview:
        """Raises DefectError: ONNX gives string tensors no raw form."""
        raise DefectError("the raw bytes of a string tensor were asked for")

    def chunks(self) -> Iterator[memoryview]:
        """Raises DefectError: ONNX gives string tensors no raw form."""
        return iter((self.read(),))


def _with_descriptors(call: Callable[[], T]) -> T:
    """``call()``, with as many open files as the system grants when the usual number is used up.

    A model saved with one file per tensor has more files than the usual limit of 1024.
    """
    try:
        return call()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    import resource  # absent on Windows, where the error above is another

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return call()
