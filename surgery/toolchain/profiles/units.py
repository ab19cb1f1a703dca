"""Numbers out of files: finite, of a known unit, and times that can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite

from surgery.toolchain.profiles.profile import Measured, ProfileError, Times

_MS = {"s": 1e3, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "ns": 1e-6}
_MOST_IN_FLIGHT = 300.0
"""More frames at a time than any tool offers threads (32): the latency is in microseconds."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """ProfileError about ``what`` in place of what a missing value, or one of another kind, leads to."""
    try:
        yield
    except ProfileError:
        raise
    except KeyError as error:
        raise ProfileError(f"{what} lacks {error}") from error
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
        raise ProfileError(f"{what} cannot be read: {error}") from error


def number(value: object, what: str) -> float:
    """``value`` as a finite number; ProfileError names ``what`` otherwise.

    >>> number("4.5", "FPS")
    4.5
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ProfileError(f"{what} is {value!r:.60}, a number is wanted")
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise ProfileError(f"{what} is {value!r:.60}, a number is wanted") from error
    if not isfinite(found):
        raise ProfileError(f"{what} is {found}, a finite number is wanted")
    return found


def positive(value: object, what: str) -> float:
    """A finite number above zero."""
    found = number(value, what)
    if found <= 0:
        raise ProfileError(f"{what} is {found:g}, it has to be more than 0")
    return found


def not_negative(value: object, what: str) -> float:
    """A finite number of zero or more: parts of a frame may be below what the tool resolves."""
    found = number(value, what)
    if found < 0:
        raise ProfileError(f"{what} is {found:g}, it cannot be negative")
    return found


def milliseconds(value: object, unit: str, what: str) -> float:
    """A time above zero in ``unit``, as milliseconds.

    >>> milliseconds("1500", "us", "latency")
    1.5
    """
    if unit not in _MS:
        raise ProfileError(f"{what} is in {unit!r:.20}, known units are {', '.join(_MS)}")
    return positive(value, what) * _MS[unit]


def times(leaf: Mapping[str, object], what: str) -> Times:
    """The ``avg_time``, ``min_time`` and ``max_time`` (ms) of an entry; KeyError without an average."""
    low, high = (
        not_negative(leaf[key], f"{key} of {what}") if key in leaf else None for key in ("min_time", "max_time")
    )
    return Times(not_negative(leaf["avg_time"], f"avg_time of {what}"), low, high)


def count(value: object, what: str) -> int | None:
    """A whole number of one or more, None where the tool gives none."""
    return None if value is None else int(positive(value, what))


def plausible(run: Measured) -> Measured:
    """``run``, unless its latency and its rate cannot belong together."""
    if run.in_flight > _MOST_IN_FLIGHT:
        told = f"a latency of {run.latency_ms:g} ms at {run.fps:g} FPS is {run.in_flight:.0f} frames at a time"
        raise ProfileError(f"{told}: is it in microseconds?")
    return run
