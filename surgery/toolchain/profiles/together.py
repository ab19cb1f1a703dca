"""Several files about one model, taken together: the board's times, the compiler's segments, the placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from surgery.errors import InputError
from surgery.toolchain.log import TableRow
from surgery.toolchain.performance import Segment
from surgery.toolchain.profiles.profile import Form, Measured, Profile

_PREDICTIONS: tuple[Form, ...] = ("perf", "analysis", "build log")
"""Formats with figures of the compiler, the most detailed first."""


@dataclass(frozen=True)
class Together:
    """What several profiles of one model say.

    Attributes:
        files: all of them, in order.
        run: the measured run with the fewest frames in flight.
        timed: the profile with times by entry, of the run with the fewest frames in flight.
        segments: predicted by the compiler.
        rows: of the placement table.
        model: its name in the files, "" where they have none.
        march: that the files name, "" where they name none.
        level: that the segments were compiled at.
    """

    files: tuple[Profile, ...]
    run: Measured | None
    timed: Profile | None
    segments: tuple[Segment, ...]
    rows: tuple[TableRow, ...]
    model: str
    march: str
    level: str

    @property
    def basis(self) -> Measured | None:
        """The run that the parts of a frame are of: that of the entries, where there are any."""
        return self.timed.run if self.timed else self.run


def together(files: Sequence[Profile]) -> Together:
    """The profiles as one.

    Raises:
        InputError: they are of different models or marches, or a segment is in two of them.
    """
    runs = [file.run for file in files if file.run is not None]
    timed = [file for file in files if file.items]
    predicted = _predicted(files)
    return Together(
        tuple(files),
        min(runs, key=lambda run: run.in_flight, default=None),
        min(timed, key=_in_flight, default=None),
        tuple(segment for file in predicted for segment in file.segments),
        next((file.rows for file in reversed(files) if file.rows), ()),
        _one(files, "model", lambda file: file.model),
        _one(files, "march", lambda file: file.march),
        next((file.level for file in predicted if file.level), ""),
    )


def _in_flight(file: Profile) -> float:
    return file.run.in_flight if file.run else 1.0


def _one(files: Iterable[Profile], what: str, of: Callable[[Profile], str]) -> str:
    named = {of(file): file.path for file in reversed(list(files)) if of(file)}
    if len(named) > 1:
        (first, path), (other, beside), *_ = reversed(named.items())
        told = f"is of the {what} {other!r}, and {path} is of {first!r}"
        raise InputError(told, where=beside, hint="profile the files of one model on one march at a time")
    return next(iter(named), "")


def _predicted(files: Sequence[Profile]) -> list[Profile]:
    """The files with segments in the most detailed form; of logs and analyses the last one."""
    for form in _PREDICTIONS:
        found = [file for file in files if file.form == form and file.segments]
        if found and form == "perf":
            _need_distinct(found)
            return found
        if found:
            return found[-1:]
    return []


def _need_distinct(files: Sequence[Profile]) -> None:
    names = [segment.name for file in files for segment in file.segments]
    if len(names) > len(set(names)):
        name = Counter(names).most_common(1)[0][0]
        again = [file.path for file in files if any(segment.name == name for segment in file.segments)]
        told = f"has the segment {name!r}, as {again[0]} has" if name else f"is a prediction beside {again[0]}"
        raise InputError(told, where=again[-1], hint="give the segments of one build, each once")
