"""The command to type next: on the same model, with what the document was told of it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from pathlib import PurePath
from typing import TypeAlias

from surgery.pipeline import Pipeline
from surgery.report.base import ModelRef
from surgery.report.check import CheckDocument
from surgery.report.cost import CostDocument
from surgery.report.run import RunDocument
from surgery.report.text import visible
from surgery.report.trace import BisectDocument, ExplainDocument

OfModel: TypeAlias = "CheckDocument | CostDocument | RunDocument | ExplainDocument | BisectDocument"


def command(*words: str) -> str:
    """A ``surgery`` command line that a shell reads as ``words``, control characters made visible."""
    return shlex.join(["surgery", *(visible(word) for word in words)])


def path_of(model: ModelRef | None) -> str:
    """The path that a shell finds the model at, or a word for it."""
    return "MODEL" if model is None or model.path is None else model.path


def sized(document: OfModel) -> list[str]:
    """The model of the document with the sizes that were stated for it."""
    stated = (f"{name}={'x'.join(map(str, shape))}" for name, shape in document.input_shape.items())
    return [path_of(document.model), *(word for text in stated for word in ("--input-shape", text))]


def on_march(march: str | None) -> list[str]:
    """The option for the march, or a word for it."""
    return ["--march", march or "MARCH"]


def assumed_from(document: OfModel) -> list[str]:
    """The option for the march whose limits were borrowed."""
    assumed = document.assumed if isinstance(document, CheckDocument) else None
    return ["--assume", assumed.march] if assumed else []


def requests(document: OfModel) -> list[str]:
    """What the toolchain was asked to run on the BPU."""
    return [word for glob in document.run_on_bpu for word in ("--run-on-bpu", glob)]


def told(document: OfModel) -> list[str]:
    """The log that the document took verdicts from, and what the toolchain was asked for."""
    log = None if isinstance(document, BisectDocument) else document.log
    return [*([] if log is None else ["--log", log.path]), *requests(document)]


def run_of(document: OfModel, march: str | None, more: Collection[str] = ()) -> str:
    """The run on the same model, with the passes ``more`` added to its pipeline."""
    path, *sizes = sized(document)
    out = f"{PurePath(path).stem}.{march or 'MARCH'}.onnx"
    added = (word for name in more for word in ("--add", name))
    return command("run", path, "-o", out, *on_march(march), *assumed_from(document), *told(document), *sizes, *added)


def run_with(document: CheckDocument, cures: Iterable[str]) -> str:
    """The run whose pipeline holds the passes ``cures``: the default one, and those of them that are not in it."""
    return run_of(document, document.march, beyond_default(document.march, cures))


def beyond_default(march: str | None, names: Iterable[str]) -> list[str]:
    """The passes that the default pipeline of the march does not hold."""
    return missing(names, {step.id for step in Pipeline.default(march).steps})


def missing(names: Iterable[str], present: Collection[str]) -> list[str]:
    """The passes that are not in the pipeline yet."""
    return list(dict.fromkeys(name for name in names if name not in present))


def look_again(document: CheckDocument, *more: str) -> str:
    """The check of the same model with further options."""
    options = [*on_march(document.march), *assumed_from(document), *told(document)]
    return command("check", *sized(document), *options, *more)
