"""Shapes of inputs: how they are written, and what images and batches may be."""

from __future__ import annotations

from surgery.toolchain.conversion.finding import Drop, Finding, Findings, Put
from surgery.toolchain.conversion.rules.inputs import FEATUREMAP, NV12
from surgery.toolchain.conversion.rules.say import error, quoted, replaced, warning
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import shape

LAYOUTS = {"NCHW": (1, 2, 3), "NHWC": (3, 1, 2)}
"""Where a layout has channels, height and width."""
GRAY = "gray"


def written(settings: Settings) -> Findings:
    """Shapes that are not dims parted by x, or have a dim of nothing."""
    for index, text in enumerate(settings.parts("input_shape")):
        path, found = settings.path("input_shape"), shape(text)
        if found is None:
            meant = "x".join(text.replace("[", "").replace("]", "").replace(",", " ").replace("*", " ").split())
            edits = (
                (replaced(settings, "input_shape", index, meant),)
                if shape(meant) and isinstance(settings.get("input_shape"), str)
                else ()
            )
            said = f"input {index}: {quoted(text)} is no shape, write it like 1x3x224x224"
            yield error(
                settings, "shape.form", path, said, fix="" if edits else "write it like 1x3x224x224", edits=edits
            )
        elif 0 in found:
            said = f"input {index}: {text} has a dim of 0, every size has to be a positive number"
            yield error(settings, "shape.zero", path, said, fix="state the size")


def images(settings: Settings) -> Findings:
    """Inputs that are images: four dims, channels where the layout says, even sizes for nv12."""
    for index, form in enumerate(settings.parts("input_type_rt")):
        found = settings.shape(index)
        if form != FEATUREMAP and found is not None:
            yield from _image(settings, index, form, found)


def _image(settings: Settings, index: int, form: str, found: tuple[int, ...]) -> Findings:
    path, said = settings.path("input_shape"), "x".join(map(str, found))
    if len(found) != 4:
        text = f"input {index}: an image ({form}) has 4 dims, {said} has {len(found)}"
        fix = "state the shape with 4 dims, or feed it as featuremap"
        yield error(settings, "shape.rank", path, text, fix=fix)
        return
    layout = settings.part("input_layout_train", index)
    if layout in LAYOUTS:
        channels, *sizes = (found[axis] for axis in LAYOUTS[layout])
        if finding := _channels(settings, index, form, layout, found, channels):
            yield finding
        elif form.startswith((NV12, "yuv420sp")) and any(size % 2 for size in sizes):
            text = f"input {index}: {form} needs an even height and width, {said} has {' by '.join(map(str, sizes))}"
            yield error(settings, "shape.even", path, text, fix="change the size, or feed it in another format")


def _channels(
    settings: Settings, index: int, form: str, layout: str, found: tuple[int, ...], channels: int
) -> Finding | None:
    """The finding where the channels are not as many as the format has."""
    expected = 1 if GRAY in (form, settings.part("input_type_train", index)) else 3
    if channels == expected:
        return None
    said, other = "x".join(map(str, found)), "NHWC" if layout == "NCHW" else "NCHW"
    text = f"input {index}: {form} has {expected} channels, {said} as {layout} has {channels}"
    path = settings.path("input_layout_train")
    if found[LAYOUTS[other][0]] == expected:
        edits = (replaced(settings, "input_layout_train", index, other),)
        return error(settings, "shape.layout", path, text, edits=edits)
    return error(settings, "shape.channels", settings.path("input_shape"), text, fix="state the right format or shape")


def batch(settings: Settings) -> Findings:
    """A batch that is stated beside a shape that has one, or for several inputs."""
    value, path = settings.get("input_batch"), settings.path("input_batch")
    if not isinstance(value, int):
        return
    shapes = [settings.shape(index) for index in range(len(settings.inputs))]
    if large := next((found for found in shapes if found and found[0] != 1), None):
        text = f"is {value} beside an input_shape whose first dim is {large[0]}: it works where that is 1"
        yield error(settings, "shape.batch", path, text, edits=(Drop(path),))
    elif len(shapes) > 1 and settings.tool.tool == "hb_mapper":
        text = f"the guide has it for models of one input, this has {len(shapes)}"
        yield warning(
            settings, "shape.batch_inputs", path, text, fix="leave it out, and export the model with its batch"
        )


def batch_text(settings: Settings) -> Findings:
    """A batch per input, which has to be one number for all."""
    value = settings.get("input_batch")
    found = set(settings.parts("input_batch"))
    if isinstance(value, str) and len(found) == 1 and ";" in value and found <= {str(n) for n in range(1, 4097)}:
        edit = Put(settings.path("input_batch"), int(found.pop()))
        yield error(
            settings, "shape.one_batch", settings.path("input_batch"), "is one number for all inputs", edits=(edit,)
        )


RULES = (written, images, batch, batch_text)
