"""Text that is safe to show: names taken from models are hostile, numbers are many.

:func:`visible` comes first in every view; each view then adds the escaping of its own syntax.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Protocol

_DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Interval(Protocol):
    """Anything with a low, a middle and a high value, each None where it is not known."""

    @property
    def low(self) -> float | None:
        """The least it may be."""

    @property
    def mid(self) -> float | None:
        """What is expected."""

    @property
    def high(self) -> float | None:
        """The most it may be."""


def visible(text: object) -> str:
    r"""``text`` with every control, format, surrogate and line separator character spelt as an escape.

    >>> visible("conv\n\x1b[31m\u202e")
    'conv\\n\\x1b[31m\\u202e'
    """
    raw = str(text)
    if raw.isascii() and raw.isprintable():
        return raw
    return "".join(_spelt(c) if unicodedata.category(c) in _DANGEROUS else c for c in raw)


def _spelt(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, width: int = 72) -> str:
    """``text`` cut in its middle to ``width`` characters, keeping both ends of a long path-like name.

    >>> shorten("abcdefghij", 7)
    'abc…hij'
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def number(value: float | None, digits: int = 3) -> str:
    """A number at ``digits`` significant digits, an en dash for None.

    >>> number(0.00012345), number(1234.5), number(None), number(7)
    ('0.000123', '1234', '–', '7')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 10**digits:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def amount(value: float | None) -> str:
    """A count with its SI prefix.

    >>> amount(4_360_000_000), amount(950)
    ('4.36 G', '950')
    """
    if value is None:
        return "–"
    for scale, letter in _UNITS:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {letter}"
    return number(value)


def percent(value: float | None) -> str:
    """A share of one as per cent, one decimal.

    >>> percent(0.9876)
    '98.8 %'
    """
    return "–" if value is None else f"{100 * value:.1f} %"


def interval(span: Interval | None, unit: str = "ms") -> str:
    """The middle value with its low and high at two digits, in ``unit``.

    >>> from types import SimpleNamespace as S
    >>> interval(S(low=1.0, mid=2.0, high=4.0)), interval(S(low=1.2, mid=1.5, high=2), "x")
    ('2 ms (1–4)', '1.5× (1.2–2)')
    """
    if span is None or span.mid is None:
        return "–"
    suffix = "×" if unit == "x" else f" {unit}"
    return f"{number(span.mid)}{suffix} ({number(span.low, 2)}–{number(span.high, 2)})"


def change(value: float, digits: int = 3) -> str:
    """A number with its sign, at ``digits`` significant digits.

    >>> change(0.0125), change(-2.0), change(0.0)
    ('+0.0125', '−2', '0')
    """
    return f"{'−' if value < 0 else '+'}{number(abs(value), digits)}" if value else "0"


def plural(count: int, noun: str) -> str:
    """``count`` and ``noun``, with an s unless there is exactly one.

    >>> plural(1, "node"), plural(3, "node")
    ('1 node', '3 nodes')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first ``most`` names and how many were left out.

    >>> listed(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
