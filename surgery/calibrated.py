"""What ``calibrate`` reads and writes: a table of measurements, and a march of the user's own."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from surgery.cost.calibrate import Figure, Measured, calibrate, refined_data
from surgery.cost.coefficients import rates
from surgery.cost.estimate import Estimate, estimate
from surgery.errors import InputError
from surgery.ir import Model
from surgery.report.calibration import CalibrationDocument, calibration_document
from surgery.report.write import check_writable, write_text
from surgery.target import Target, place

FIGURES: tuple[Figure, ...] = ("bpu_ms", "latency_ms")
COLUMNS = ("model", *FIGURES)


def calibrated(files: Sequence[Path], target: Target, out: Path | None) -> CalibrationDocument:
    """The coefficients of ``target`` refined by the measurements in ``files``, written to ``out`` if given.

    ``out`` becomes a march file that extends the shipped one, and a file of coefficients beside it.

    Raises:
        InputError: a file that is no table of measurements, or measurements that identify nothing.
        NoCoefficients: the march has none to refine.
    """
    sheet = rates(target).sheet
    pair = () if out is None else _outputs(out, target)
    found = [item for file in files for item in _measured(file, target)]
    result = calibrate(found, sheet)
    document = calibration_document(target.name, found, result)
    if pair:
        source = f"surgery calibrate, {len(found)} measurements of {len({item.model for item in found})} models"
        data = refined_data(target.cost, result.refined, source)
        write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120), pair[1])
        write_text(f"# {source}\nextends: {target.path.stem}\nmarch: {target.name}\n", pair[0])
    return document.model_copy(update={"written": tuple(map(str, pair))})


def _outputs(out: Path, target: Target) -> tuple[Path, Path]:
    """The march file and the coefficients beside it, both writable."""
    if out.suffix != ".yaml" or "." in out.stem:
        raise InputError("is no name of a march file", where=str(out), hint="name it like board.yaml")
    if out.stem == target.path.stem:
        raise InputError("has the name of the march that it extends", where=str(out), hint="name it after your board")
    pair = out, out.with_suffix(".cost.yaml")
    for file in pair:
        check_writable(file)
    return pair


def _measured(file: Path, target: Target) -> Iterator[Measured]:
    """The measurements of a CSV file; models are found beside it."""
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


def _lines(file: Path) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise InputError(f"cannot be read: {reason}", where=str(file)) from error
    table = csv.DictReader(text.splitlines())
    named = [name.strip() for name in table.fieldnames or ()]
    if strange := [name for name in named if name not in COLUMNS]:
        raise InputError(f"column {strange[0]!r}, known are {', '.join(COLUMNS)}", where=str(file))
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
