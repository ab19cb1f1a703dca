"""A configuration translated for the other tool: its march, its keys, its values."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from surgery.toolchain.conversion.edits import apply
from surgery.toolchain.conversion.facts import Tool
from surgery.toolchain.conversion.finding import Drop, Edit, Put
from surgery.toolchain.conversion.repair import repair
from surgery.toolchain.conversion.rules.norm import VALUES
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined


def migrate(settings: Settings, to: Tool, march: str) -> tuple[Settings, tuple[Edit, ...]]:
    """The settings for ``march`` of the tool ``to``, repaired by its rules, and the edits in order."""
    first = (Put(("model_parameters", "march"), march), *_calibration(settings, to), *_separators(settings, to))
    data: dict[Any, Any] = copy.deepcopy(dict(settings.data))
    apply(data, first)
    done, rest = repair(replace(settings, data=data, tool=to))
    return done, (*first, *rest)


def _calibration(settings: Settings, to: Tool) -> Iterator[Edit]:
    """A method that the other tool does not document is left to its own choice."""
    path, method = settings.path("calibration_type"), to.key("calibration_type")
    if method is not None and settings.text("calibration_type") not in ("", *method.values):
        yield Drop(path)


def _separators(settings: Settings, to: Tool) -> Iterator[Edit]:
    """Channels parted by commas as the guide of hb_compile has them, by blanks as that of hb_mapper."""
    between = "," if to.tool == "hb_compile" else " "
    for key in VALUES:
        found = settings.parts(key)
        if any(" " in part or "," in part for part in found):
            parted = [between.join(part.replace(",", " ").split()) for part in found]
            yield Put(settings.path(key), joined(parted))


def notes(settings: Settings, to: Tool) -> Iterator[str]:
    """What no edit can do: ``settings`` are those before."""
    if settings.parts("cal_data_dir"):
        kind = ".npy files, which say shape and type" if to.tool == "hb_compile" else "raw files (numpy's tofile)"
        yield f"The calibration data have to be {kind}."
    if to.tool == "hb_mapper" and settings.get("quant_config") is not None:
        yield "quant_config has no counterpart: name the int16 nodes in node_info."
    if settings.get("node_info") is not None or settings.parts("run_on_bpu") or settings.parts("run_on_cpu"):
        yield "Names of nodes have to be those of *_optimized_float_model.onnx of the other tool."
