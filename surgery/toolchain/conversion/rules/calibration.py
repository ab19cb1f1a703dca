"""Calibration: the method, its data, and what only some methods read."""

from __future__ import annotations

from surgery.toolchain.conversion.finding import Drop, Findings
from surgery.toolchain.conversion.rules.say import error, warning
from surgery.toolchain.conversion.settings import Settings

WITHOUT_DATA = ("load", "skip")


def data(settings: Settings) -> Findings:
    """Folders of samples: there where the method reads them."""
    method, folders = settings.text("calibration_type"), settings.parts("cal_data_dir")
    path = settings.path("cal_data_dir")
    if not folders and method not in WITHOUT_DATA:
        said = f"calibration_type {method or 'default'} needs a folder of samples per input"
        if settings.tool.tool == "hb_mapper":
            fix = "add it; calibration_type skip does without, for placement and speed only"
            yield error(settings, "calibration.data", path, said, fix=fix)
        else:
            yield warning(settings, "calibration.data", path, f"{said}: without, it does as skip does", fix="add it")
    for folder in folders:
        if settings.folder is not None and not (settings.folder / folder).is_dir():
            yield error(
                settings, "calibration.folder", path, f"there is no folder {folder!r}", fix="make it, or name another"
            )


def methods(settings: Settings) -> Findings:
    """What the method does not read."""
    method = settings.text("calibration_type") or "default"
    if settings.get("max_percentile") is not None and method != "max":
        path = settings.path("max_percentile")
        yield warning(
            settings, "calibration.percentile", path, f"is for calibration_type max, not {method}", edits=(Drop(path),)
        )
    if settings.get("per_channel") is True and method == "default" and settings.tool.tool == "hb_mapper":
        path = settings.path("per_channel")
        text = "calibration_type default tries both ways by itself"
        yield warning(settings, "calibration.per_channel", path, text, edits=(Drop(path),))


RULES = (data, methods)
