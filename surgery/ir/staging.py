"""Files that appear whole or not at all: written under a hidden name, flushed, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from surgery.ir.store import FileSlice
from surgery.ir.wire import Piece, chunks

COPY_BYTES = 1 << 26
"""Bytes per system call that copies: an interrupt waits no longer than this."""
NO_FILE_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
"""Errors by which copy_file_range says that these two files need an ordinary copy."""


class Staging:
    """The new files of one save, in the folder of ``target`` and with its permissions if it exists.

    A context manager that leaves no temporary file behind. Errors of the system come out as OSError.
    """

    def __init__(self, target: Path) -> None:
        self.folder = target.parent
        self.mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        self._temporary: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for path in self._temporary:
            path.unlink(missing_ok=True)

    def write(self, pieces: Iterable[Piece]) -> Path:
        """Write a temporary file, flushed to the disk."""
        path = self.folder / f".surgery-{secrets.token_hex(8)}.tmp"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._temporary.append(path)
        try:
            if self.mode is not None:
                os.fchmod(fd, self.mode)
            for piece in pieces:
                _append(fd, piece)
            os.fsync(fd)
        finally:
            os.close(fd)
        return path

    def publish(self, *renames: tuple[Path, Path]) -> None:
        """Give temporary files their names, in this order, replacing what has them.

        When it fails before the last rename, names that did not exist before are removed again.
        """
        fresh = [name for _, name in renames if not name.exists()]
        try:
            for temporary, name in renames:
                temporary.replace(name)
                self._flush_folder()
        except BaseException:
            last, _ = renames[-1]
            for name in fresh if last.exists() else ():
                name.unlink(missing_ok=True)
            raise

    def _flush_folder(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _append(fd: int, piece: Piece) -> None:
    for chunk in chunks(_file_copy(fd, piece) if isinstance(piece, FileSlice) else piece):
        view = memoryview(chunk)
        while view:
            view = view[os.write(fd, view) :]


def _file_copy(fd: int, piece: FileSlice) -> FileSlice:
    """Let the system copy between the files; returns what is left to be copied by hand."""
    offset, left = piece.offset, piece.length
    copy = getattr(os, "copy_file_range", None)  # Linux only
    while copy is not None and left:
        try:
            copied = copy(piece.file.fd, fd, min(left, COPY_BYTES), offset)
        except OSError as error:
            if error.errno not in NO_FILE_COPY:
                raise
            break
        if not copied:
            break
        offset, left = offset + copied, left - copied
    return FileSlice(piece.file, offset, left)
