"""What ``calibrate`` does with measurements: coefficients refined by them, written as a march of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from surgery.cost.calibrate import Measured, calibrate, refined_data
from surgery.cost.coefficients import rates
from surgery.errors import InputError
from surgery.measurements import from_profiles, from_table, from_witness
from surgery.report.calibration import CalibrationDocument, calibration_document
from surgery.report.write import check_writable, write_text
from surgery.target import Target

if TYPE_CHECKING:
    from surgery.witnessed import Asked


def calibrated(
    files: Sequence[Path],
    target: Target,
    out: Path | None,
    profiles: Mapping[Path, Sequence[Path]],
    models: Sequence[Path] = (),
    witness: Asked | None = None,
) -> CalibrationDocument:
    """The coefficients of ``target`` refined by measurements, written to ``out`` if given.

    They are those of the tables ``files``, of the ``profiles`` of models, and of the ``models`` that the toolchain
    ``witness`` compiles. ``out`` becomes a march file that extends the shipped one, and a file of coefficients beside
    it.

    Raises:
        InputError: measurements that cannot be used, or that identify nothing; models without a toolchain.
        NoCoefficients: the march has none to refine.
    """
    sheet = rates(target).sheet
    pair = () if out is None else _outputs(out, target)
    found = [item for file in files for item in from_table(file, target)]
    found += [item for model, told in profiles.items() for item in from_profiles(model, told, target)]
    found += _compiled(models, target, witness)
    result = calibrate(found, sheet)
    document = calibration_document(target.name, found, result)
    if pair:
        source = f"surgery calibrate, {len(found)} measurements of {len({item.model for item in found})} models"
        data = refined_data(target.cost, result.refined, source)
        write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120), pair[1])
        write_text(f"# {source}\nextends: {target.path.stem}\nmarch: {target.name}\n", pair[0])
    return document.model_copy(update={"written": tuple(map(str, pair))})


def _compiled(models: Sequence[Path], target: Target, witness: Asked | None) -> Iterator[Measured]:
    """What the toolchain says of every model."""
    if not models:
        return
    if witness is None:
        hint = f"give what was measured of it, as {models[0]}=profiler.log, or --witness to have it compiled"
        raise InputError("is a model, and nothing was measured of it", where=str(models[0]), hint=hint)
    from surgery.witnessed import need_answerable, opened

    need_answerable(witness, target.name, "O2")
    with opened(witness) as asked:
        for model in models:
            yield from_witness(model, target, asked)


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
