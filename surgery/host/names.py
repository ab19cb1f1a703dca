"""Names of models in source code: none becomes an identifier, and none ends a string or a comment."""

from __future__ import annotations

import json
import re

LONGEST = 60


def identifier(text: str) -> str:
    """An identifier of both languages, and name of a file, made of ``text``.

    >>> identifier("yolov8n.x3"), identifier("../../etc/passwd"), identifier("9 to 5"), identifier("")
    ('yolov8n_x3', 'etc_passwd', 'm_9_to_5', 'model')
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text)[-LONGEST:].strip("_") or "model"
    return plain if plain[0].isalpha() else f"m_{plain}"


def python_text(name: str) -> str:
    r"""``name`` as a Python string literal of ASCII.

    >>> print(python_text("a'b\n"))
    "a'b\n"
    """
    return ascii(name)


def cpp_text(name: str) -> str:
    r"""``name`` as a C++ string literal of ASCII: bytes of UTF-8 that are no letter, digit or plain sign are octal.

    >>> print(cpp_text('a"b\\'))
    "a\042b\134"
    """
    data = name.encode("utf-8", "backslashreplace")
    plain = re.compile(rb"[A-Za-z0-9_ ./:,()+-]")
    spelt = (chr(byte) if plain.match(bytes([byte])) else f"\\{byte:03o}" for byte in data)
    return f'"{"".join(spelt)}"'


def comment(name: str) -> str:
    r"""``name`` for the end of a one-line comment: ASCII on one line, in quotes, so that no backslash is last.

    >>> print(comment("x\n*/ \\"))
    "x\n*/ \\"
    """
    return json.dumps(name.encode("utf-8", "backslashreplace").decode())
