"""The toolchain's files, and the board's: configurations, profiles, measurements."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surgery.api.given import Shapes
from surgery.ir import Model
from surgery.target import load_target

if TYPE_CHECKING:
    from surgery.ir.model import Source
    from surgery.report.calibration import CalibrationDocument
    from surgery.report.config import ConfigDocument
    from surgery.report.lint import LintDocument
    from surgery.report.profile import ProfileDocument
    from surgery.witnessed import Asked


def profile(
    files: Sequence[str | os.PathLike[str]], *, model: Source | None = None, march: str | None = None
) -> ProfileDocument:
    """Where the time of a frame goes by what the board and the compiler left in ``files`` about one model.

    ``model`` is what was compiled, whose nodes are then named; ``march`` is that of the files when None. Needs no
    weights.

    Raises:
        InputError: a file that is no profile, or files of several models or marches, or of another one.
    """
    from surgery.profiled import profiled

    loaded = None if model is None else Model.load(model)
    return profiled(files, loaded, None if march is None else load_target(march))


def calibrate(
    files: Sequence[Path] = (),
    *,
    march: str,
    output: Path | None = None,
    profiles: Mapping[Path, Sequence[Path]] | None = None,
    models: Sequence[Path] = (),
    witness: Asked | None = None,
) -> CalibrationDocument:
    """The coefficients of ``march`` refined by measured times.

    Args:
        files: CSV tables with the columns model, bpu_ms, latency_ms.
        march: name, board or march file.
        output: becomes a march file to give to ``march`` from then on, with its coefficients beside it.
        profiles: by model, what :func:`profile` reads: the board's times, or else the compiler's prediction.
        models: to be compiled at O2, whose times are the measurements.
        witness: the toolchain that does it: its folder, ``"auto"``, or an open one.

    Raises:
        InputError: a file that cannot be used, or measurements that identify no coefficient.
        NoCoefficients: the march has none to refine.
    """
    from surgery.calibrated import calibrated

    return calibrated(files, load_target(march), output, profiles or {}, models, witness)


def lint(
    path: str | os.PathLike[str],
    *,
    model: Source | None = None,
    fix: bool = False,
    migrate: str | None = None,
    march: str | None = None,
    output: Path | None = None,
) -> LintDocument:
    """What is wrong with the YAML of hb_mapper makertbin or hb_compile at ``path``. Needs no weights.

    ``model`` has names, shapes and layouts checked against it. ``fix`` writes the file again, repaired; ``migrate``
    (``hb_mapper`` or ``hb_compile``) one for ``march`` of the other tool. Both keep comments and order, and write to
    ``output``; a repair to the file itself where that is None.
    """
    from surgery.linted import Asked, linted

    return linted(Path(path), model, Asked(fix, migrate, march, output))


def config(
    model: Source,
    *,
    march: str,
    output: str | os.PathLike[str],
    input_shape: Shapes = None,
    input_type: Mapping[str, str] | None = None,
    trained_on: Mapping[str, str] | None = None,
    mean: Mapping[str, str] | None = None,
    scale: Mapping[str, str] | None = None,
    cal_data: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> ConfigDocument:
    """Write the YAML that the tool of ``march`` converts ``model`` by, and return what it says. Needs no weights.

    Args:
        model: a file; the YAML names it relative to itself.
        march: name, board or march file.
        output: the file to write.
        input_shape: sizes of inputs that are not fixed, by name.
        input_type: what the application feeds, by input, such as ``nv12``; feature maps where nothing is said.
        trained_on: what the network was trained on, by input.
        mean: numbers parted by blanks, subtracted per channel, by input.
        scale: the same, multiplied then.
        cal_data: folders of calibration data, one per input; without, thresholds are guessed.
        remove: node types to take off the edges, outermost first; ``auto`` for those that are there.
    """
    from surgery.configured import Wanted, configured

    shapes, forms, trained = input_shape or {}, input_type or {}, trained_on or {}
    wanted = Wanted(shapes, forms, trained, mean or {}, scale or {}, cal_data, remove)
    return configured(Model.load(model), march, Path(output), wanted)
