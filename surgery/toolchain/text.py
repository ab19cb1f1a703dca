"""Text that a tool wrote on somebody's machine: UTF-8, UTF-16 or GBK, with or without a byte order mark."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from surgery.errors import InputError

LARGEST = 256 << 20
"""Bytes of a file that is read whole; logs are below 1 MB, the JSON of a compiled model below 100 MB."""


def read_text(path: Path, hint: str) -> str:
    """The text of ``path``; what is in no known encoding has its odd bytes replaced.

    Raises:
        InputError: it cannot be read, is too large or no text; ``hint`` says what is wanted.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"is larger than {LARGEST >> 20} MB, which no log is", where=str(path))
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be read: {reason}", where=str(path), hint=hint) from error
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw:
        raise InputError("is no text", where=str(path), hint=hint)
    return decoded(raw)


def decoded(raw: bytes) -> str:
    r"""UTF-8 where that fits, else GBK (as Windows in Chinese writes it), else UTF-8 with what does not fit replaced.

    >>> decoded("延时".encode("gbk")), decoded(b"a\xff")
    ('延时', 'a\ufffd')
    """
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return raw.decode("utf-8", "replace")
