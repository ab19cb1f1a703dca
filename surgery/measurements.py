"""Measured times of models, each beside its shipped estimate: from tables, profiles of a board, and the toolchain."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgery.cost.calibrate import Figure, Measured
from surgery.cost.estimate import Estimate, estimate
from surgery.errors import InputError
from surgery.ir import Model
from surgery.profiled import Behind, need_march
from surgery.target import Target, place
from surgery.toolchain.profiles import read_profile
from surgery.toolchain.profiles.profile import ALONE
from surgery.toolchain.profiles.profile import Measured as Run
from surgery.toolchain.profiles.together import Together, together

if TYPE_CHECKING:
    from surgery.toolchain import Witness

FIGURES: tuple[Figure, ...] = ("bpu_ms", "latency_ms")
COLUMNS = ("model", *FIGURES)
LEVELS = ("O2", "O3")
"""Levels of the toolchain whose predictions are those of a deployed model."""


def from_table(file: Path, target: Target) -> Iterator[Measured]:
    """The measurements of a CSV file; models are found beside it.

    Raises:
        InputError: it is no table of measurements, or a model is not there.
    """
    known: dict[Path, Estimate] = {}
    for number, line in _lines(file):
        where = f"{file}, line {number}"
        path = file.parent / (line["model"] or "")
        if not path.is_file():
            raise InputError(f"there is no model {line['model']!r}", where=where)
        if path not in known:
            known[path] = estimate(place(Model.load(path), target))
        for figure in FIGURES:
            if text := (line.get(figure) or "").strip():
                yield Measured(line["model"], figure, _time(text, figure, where), known[path])


def from_profiles(path: Path, files: Sequence[Path], target: Target) -> Iterator[Measured]:
    """What profiles of the model ``path`` tell of its time as a whole; predictions where no board measured it.

    Raises:
        InputError: no profiles, of another march or model, or without a time of the whole model.
    """
    found = together([read_profile(file) for file in files])
    need_march(found, target)
    model = Model.load(path)
    Behind(found, model)
    shipped = estimate(place(model, target))
    if found.run is None:
        yield Measured(str(path), "bpu_ms", _predicted(found), shipped, "toolchain")
        return
    figures = list(_measured(found))
    if not figures:
        raise _unusable(found.run, found)
    for figure, ms in figures:
        yield Measured(str(path), figure, ms, shipped)


def from_witness(path: Path, target: Target, witness: Witness) -> Measured:
    """The BPU time of the model ``path`` as the vendor's toolchain compiles it at O2.

    Raises:
        InputError: the toolchain does not take it, or puts nothing of it on the BPU.
    """
    from surgery.witnessed import compiled_ms

    model = Model.load(path)
    return Measured(
        str(path), "bpu_ms", compiled_ms(path, model, witness, target), estimate(place(model, target)), "toolchain"
    )


def _measured(found: Together) -> Iterator[tuple[Figure, float]]:
    """Latency with one frame in flight; BPU time by its tasks, else by the rate of a run that kept it busy."""
    runs = [file.run for file in found.files if file.run is not None]
    if alone := [run.latency_ms for run in runs if run.alone]:
        yield "latency_ms", min(alone)
    if busy := list(_tasks(found)) or [1e3 * run.cores / run.fps for run in runs if run.cores and _is_busy(run)]:
        yield "bpu_ms", min(busy)


def _is_busy(run: Run) -> bool:
    """Whether more frames were under way than cores, so that none of these ever waited for the host."""
    return run.in_flight > ALONE * (run.cores or 1)


def _tasks(found: Together) -> Iterator[float]:
    """The BPU's own time where the runtime tells it apart from handing over the task."""
    items = found.timed.items if found.timed and found.timed.run and found.timed.run.alone else ()
    if any(item.role == "submit" for item in items):
        yield sum(item.ms.avg for item in items if item.role == "bpu")


def _unusable(run: Run, found: Together) -> InputError:
    told = f"{run.in_flight:.1f} frames were in flight at a time, and on how many BPU cores is not told"
    where = ", ".join(file.path for file in found.files)
    return InputError(told, where=where, hint="measure with thread_num 1, or name the cores (core_id 1)")


def _predicted(found: Together) -> float:
    """Milliseconds of all segments, as compiled for deployment."""
    where = ", ".join(file.path for file in found.files)
    if not found.segments:
        raise InputError("tells no time of the whole model", where=where)
    known = found.level in LEVELS or (not found.level and found.march.startswith("nash"))
    if not known:
        told = f"was compiled at {found.level}" if found.level else "does not say at which level it was compiled"
        raise InputError(f"{told}, a deployed model is at {' or '.join(LEVELS)}", where=where)
    return sum(segment.latency_us for segment in found.segments) * 1e-3


def _lines(file: Path) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise InputError(f"cannot be read: {reason}", where=str(file)) from error
    table = csv.DictReader(text.splitlines())
    named = [name.strip() for name in table.fieldnames or ()]
    if strange := [name for name in named if name not in COLUMNS]:
        hint = "a profile is given with its model: MODEL.onnx=FILE"
        raise InputError(f"column {strange[0]!r}, known are {', '.join(COLUMNS)}", where=str(file), hint=hint)
    if "model" not in named or len(named) < 2:
        raise InputError(f"is no table with the columns model and {' or '.join(FIGURES)}", where=str(file))
    table.fieldnames = named
    return list(enumerate(table, 2))


def _time(text: str, figure: str, where: str) -> float:
    try:
        ms = float(text)
    except ValueError as error:
        raise InputError(f"{figure} {text!r} is no number of milliseconds", where=where) from error
    if not (isfinite(ms) and ms > 0):
        raise InputError(f"{figure} is {text}, a time is more than 0 ms", where=where)
    return ms
