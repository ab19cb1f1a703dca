"""Normalisation: ``(data - mean) * scale``, one value or one per channel for each input."""

from __future__ import annotations

from surgery.toolchain.conversion.finding import Drop, Edit, Findings, Put
from surgery.toolchain.conversion.rules.inputs import FEATUREMAP
from surgery.toolchain.conversion.rules.say import error, quoted, replaced, warning
from surgery.toolchain.conversion.rules.shapes import LAYOUTS
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import NOTHING, joined, norm_type, numbers

VALUES = ("mean_value", "scale_value", "std_value")
NEEDED = {"data_mean": ("mean_value",), "data_scale": ("scale_value",),
          "data_mean_and_scale": ("mean_value", "scale_value"), "mean_file_and_scale": ("scale_value",)}  # fmt: skip
"""What a type needs; no other reads it."""


def values(settings: Settings) -> Findings:
    """Values that are no numbers, not as many as there are channels, or make nothing of the data."""
    for key in VALUES:
        for index, text in enumerate(settings.parts(key)):
            if text == NOTHING or not isinstance(settings.get(key), str | int | float):
                continue
            found, path = numbers(text), settings.path(key) if key in settings.tool.home else ("input_parameters", key)
            if found is None:
                said = f"input {index}: {quoted(text)} is no number, or numbers parted by blanks"
                yield error(settings, "norm.form", path, said, fix="one number, or one per channel")
            elif (count := _channels(settings, index)) and len(found) not in (1, count):
                said = f"input {index}: has {len(found)} values for {count} channels"
                yield error(settings, "norm.channels", path, said, fix=f"one number, or {count}")
            elif key != "mean_value" and 0 in found:
                yield warning(
                    settings, "norm.zero", path, f"input {index}: 0 makes nothing of the data", fix="state it"
                )


def _channels(settings: Settings, index: int) -> int | None:
    """How many channels an image has."""
    found, layout = settings.shape(index), settings.part("input_layout_train", index)
    if found is not None and len(found) == 4 and layout in LAYOUTS:
        return found[LAYOUTS[layout][0]]
    train = settings.part("input_type_train", index)
    return {"gray": 1, "": None, FEATUREMAP: None}.get(train, 3)


def featuremaps(settings: Settings) -> Findings:
    """Normalisation of an input that is no image."""
    for index, form in enumerate(settings.parts("input_type_rt")):
        if form != FEATUREMAP:
            continue
        if settings.part("norm_type", index) not in ("", "no_preprocess"):
            text = f"input {index} is a featuremap, which is fed as it is"
            edits = (replaced(settings, "norm_type", index, "no_preprocess"),)
            yield error(settings, "norm.featuremap", settings.path("norm_type"), text, edits=edits)
        elif settings.tool.tool == "hb_compile":
            yield from _of_featuremap(settings, index)


def _of_featuremap(settings: Settings, index: int) -> Findings:
    for key in VALUES:
        if settings.part(key, index) not in ("", NOTHING):
            path = settings.path(key)
            alone = len(settings.inputs) == 1
            edits: tuple[Edit, ...] = (Drop(path) if alone else replaced(settings, key, index, NOTHING),)
            yield error(
                settings, "norm.featuremap", path, f"input {index} is a featuremap, which is fed as it is", edits=edits
            )


def needed(settings: Settings) -> Findings:
    """Values that the type of normalisation needs and that are not there, or that it does not read (hb_mapper)."""
    types = settings.parts("norm_type")
    edits: tuple[Edit, ...]
    if settings.tool.tool != "hb_mapper":
        return
    wanted = {key for found in types for key in NEEDED.get(found, ())}
    for key in ("mean_value", "scale_value"):
        path, there = settings.path(key), bool(settings.parts(key))
        if key in wanted and not there:
            text = f"norm_type {next(t for t in types if key in NEEDED.get(t, ()))} needs a {key}"
            yield error(settings, "norm.needed", path, text, fix="add it, or change norm_type")
        elif there and key not in wanted:
            text = f"norm_type {joined(types) or '(left out)'} does not read it, so it does nothing"
            implied = joined(_implied(settings))
            edits = (Drop(path),) if implied == joined(types) else (Put(settings.path("norm_type"), implied),)
            yield warning(settings, "norm.unread", path, text, edits=edits)


def _implied(settings: Settings) -> list[str]:
    """The type that the values of each input make."""
    return [
        norm_type(mean=_said(settings, "mean_value", i), scale=_said(settings, "scale_value", i))
        for i in range(len(settings.inputs))
    ]


def _said(settings: Settings, key: str, index: int) -> bool:
    return settings.part("input_type_rt", index) != FEATUREMAP and settings.part(key, index) not in ("", NOTHING)


def either(settings: Settings) -> Findings:
    """A scale and a deviation at once (hb_compile)."""
    if settings.parts("scale_value") and settings.parts("std_value"):
        path = settings.path("std_value")
        yield error(settings, "norm.either", path, "scale_value says the same (1 / std_value)", edits=(Drop(path),))


RULES = (values, featuremaps, needed, either)
