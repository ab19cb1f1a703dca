"""Answers by the content of their question, in a folder of bounded size that several processes may share."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

SIZE = 2 << 30
"""Bytes kept at most; the entries not used for longest go first."""
DRAFT_SECONDS = 3600.0
"""Age at which a half-written entry is one that a killed process left."""
_DRAFT = ".new-"


def default_root() -> Path:
    """``surgery/witness`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "surgery" / "witness"


class Cache:
    """Entries are folders of files, named by their key, complete from the moment they are there.

    Args:
        root: the folder; made when the first entry comes.
        size: bytes kept at most.
    """

    def __init__(self, root: Path | None = None, size: int = SIZE) -> None:
        self.root, self.size = root or default_root(), size

    def get(self, key: str) -> Path | None:
        """The folder of an entry, which counts as used now; None when there is none."""
        entry = self.root / key
        try:
            os.utime(entry)
        except OSError:
            return None
        return entry

    def put(self, key: str, folder: Path) -> Path:
        """Copy ``folder`` in as the entry ``key`` and return its place; of two at once, one stays."""
        self.root.mkdir(parents=True, exist_ok=True)
        entry = self.root / key
        beside = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=self.root))
        try:
            shutil.copytree(folder, beside / "entry")
            with suppress(OSError):  # somebody else was first, with the same content
                (beside / "entry").rename(entry)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self.trim(keep=entry)
        return entry

    def drop(self, key: str) -> None:
        """Remove an entry, if it is there."""
        shutil.rmtree(self.root / key, ignore_errors=True)

    def trim(self, keep: Path | None = None) -> None:
        """Remove what was left half-written, and the entries not used for longest until the rest fits but ``keep``."""
        for draft in self.root.glob(f"{_DRAFT}*"):
            if _used(draft) < time.time() - DRAFT_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)
        entries = sorted(((_used(path), _bytes(path), path) for path in self.root.glob("[!.]*")), reverse=True)
        total = 0
        for _, size, path in entries:
            total += size
            if total > self.size and path != keep:
                shutil.rmtree(path, ignore_errors=True)


def key(*parts: object) -> str:
    """The key of what ``parts`` say, as text, in order."""
    return hashlib.sha256("\x00".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()


def _used(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _bytes(path: Path) -> int:
    with suppress(OSError):
        return sum(file.stat().st_size for file in path.iterdir())
    return 0
