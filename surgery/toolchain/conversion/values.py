"""Values of the conversion YAML taken apart: lists parted by ``;``, numbers of channels, shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_SHAPE = re.compile(r"[0-9]+(?:x[0-9]+)*", re.IGNORECASE)
NOTHING = "None"
"""What stands for an input without a value in a list (hb_mapper)."""
_NORMS = {(True, True): "data_mean_and_scale", (True, False): "data_mean", (False, True): "data_scale"}


def norm_type(*, mean: bool, scale: bool) -> str:
    """The ``norm_type`` of an input with these values."""
    return _NORMS.get((mean, scale), "no_preprocess")


def parts(value: object, *, commas: bool = False) -> tuple[str, ...]:
    """The values of a list parted by ``;``; a trailing one, which the tools ignore, makes no further value.

    >>> parts("a; b;"), parts(None), parts(127.5), parts("a,b", commas=True)
    (('a', 'b'), (), ('127.5',), ('a', 'b'))
    """
    if value is None or value == "":
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    text = str(value)
    found = [part.strip() for part in re.split("[;,]" if commas else ";", text)]
    return tuple(found[:-1] if found[-1] == "" else found)


def joined(values: Sequence[object]) -> str:
    """The text of a list.

    >>> joined(["a", "b"])
    'a;b'
    """
    return ";".join(map(str, values))


def numbers(text: str) -> tuple[float, ...] | None:
    """One number or one per channel, parted by blanks or commas; None where that is not what it is.

    >>> numbers("1.5 2 3"), numbers("1,2"), numbers("a"), numbers("nan")
    ((1.5, 2.0, 3.0), (1.0, 2.0), None, None)
    """
    try:
        found = tuple(float(word) for word in re.split(r"[\s,]+", text.strip()))
    except ValueError:
        return None
    return found if all(math.isfinite(value) for value in found) else None


def shape(text: str) -> tuple[int, ...] | None:
    """A shape such as ``1x3x224x224``; None where that is not what it is.

    >>> shape("1x3x8x8"), shape("1,3,8,8")
    ((1, 3, 8, 8), None)
    """
    return tuple(map(int, re.split("x", text, flags=re.IGNORECASE))) if _SHAPE.fullmatch(text) else None
