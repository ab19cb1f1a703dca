"""The model that the file names, in one of two forms, and operators of the user's own."""

from __future__ import annotations

from surgery.toolchain.conversion.finding import Drop, Findings
from surgery.toolchain.conversion.rules.say import error, quoted, warning
from surgery.toolchain.conversion.settings import Settings

CAFFE = ("caffe_model", "prototxt")


def one(settings: Settings) -> Findings:
    """An ONNX file, or the two files of Caffe, and not both."""
    path = settings.path("onnx_model")
    caffe = [key for key in CAFFE if settings.text(key)]
    if settings.text("onnx_model"):
        edits = tuple(Drop(settings.path(key)) for key in caffe)
        if caffe and settings.tool.tool == "hb_mapper":
            text = "is named beside an ONNX model: which is read, --model-type says"
            yield warning(settings, "model.both", settings.path(caffe[0]), text, edits=edits)
        elif caffe:
            yield error(settings, "model.both", settings.path(caffe[0]), "an ONNX model is named, too", edits=edits)
    elif len(caffe) == 1:
        absent = next(key for key in CAFFE if key not in caffe)
        yield error(settings, "model.caffe", settings.path(absent), f"goes with {caffe[0]}", fix="add it")
    elif not caffe and "model_parameters" in settings.data:
        yield error(settings, "model.none", path, "a model has to be named", fix="add onnx_model")


def suffixes(settings: Settings) -> Findings:
    """Files of another suffix than the tool takes."""
    for name, section in settings.tool.home.items():
        key, value = settings.tool.keys[section][name], settings.get(name)
        if key.suffix and isinstance(value, str) and value and not value.endswith(key.suffix):
            text = f"is {quoted(value)}, the name has to end in {key.suffix}"
            yield error(settings, "model.suffix", (section, name), text, fix="name the right file")


def prefix(settings: Settings) -> Findings:
    """A prefix with a folder in it."""
    said = settings.text("output_model_file_prefix")
    if "/" in said:
        path = settings.path("output_model_file_prefix")
        text = f"is {quoted(said)}, it begins the names of files: folders go into working_dir"
        yield error(settings, "model.prefix", path, text, fix="take the folders out")


def custom(settings: Settings) -> Findings:
    """Operators of the user's own: files need the method."""
    files = settings.parts("op_register_files")
    if files and not settings.text("custom_op_method"):
        path = settings.path("custom_op_method")
        text = "op_register_files without a method: say register"
        yield error(settings, "custom.method", path, text, fix="add custom_op_method: register")


RULES = (one, suffixes, prefix, custom)
