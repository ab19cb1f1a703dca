"""What the verbs have in common: what is given to them, and what their documents say of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.view import freeze
from surgery.report.check import CheckDocument
from surgery.report.cost import CostDocument
from surgery.report.run import RunDocument
from surgery.report.trace import BisectDocument, ExplainDocument
from surgery.target import load_target

if TYPE_CHECKING:
    from torch import nn

    from surgery.ir.model import Source
    from surgery.overlaid import Overlay
    from surgery.target import Target
    from surgery.training.example import Example

Given: TypeAlias = "Source | nn.Module"
Steps: TypeAlias = "Pipeline | str | os.PathLike[str] | None"
Data: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | None"
Log: TypeAlias = "str | os.PathLike[str] | None"
Shapes: TypeAlias = "Mapping[str, Sequence[int]] | None"
Ranges: TypeAlias = "Mapping[str, tuple[float, float]] | None"
D = TypeVar("D", CheckDocument, CostDocument, RunDocument, ExplainDocument, BisectDocument)
L = TypeVar("L", CostDocument, RunDocument, ExplainDocument)


def at(document: D, shapes: Shapes) -> D:
    """The document of a model that was looked at with its inputs at ``shapes``."""
    stated = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    return document.model_copy(update={"input_shape": stated})


def asking(target: Target, globs: Sequence[str], model: Model) -> Target:
    """The target, asked to run on the BPU what in ``model`` the globs name, nodes or operators."""
    return target.asking(globs, model.nodes()) if globs else target


def target_of(march: str | None, assume: str | None, globs: Sequence[str], model: Model) -> Target | None:
    """The march, asked for what the globs name; None where none is named.

    Raises:
        InputError: there are globs and no march.
    """
    if march is not None:
        return asking(load_target(march, assume), globs, model)
    if globs:
        where = f"--run-on-bpu {globs[0]}"
        raise InputError("what runs on request is known of a march", where=where, hint="name one: --march X5")
    return None


def overlaid(model: Model, target: Target | None, log: Log, pipeline: Pipeline | None = None) -> Overlay | None:
    """What ``log`` says of ``model``, at the sizes that ``pipeline`` gives its inputs; None without a log."""
    if log is None:
        return None
    from surgery.overlaid import need_march_for, overlay, overlay_at

    if target is None:
        raise need_march_for(log)
    return overlay(model, target, log) if pipeline is None else overlay_at(model, pipeline, target, log)


def with_log(document: L, corrected: Overlay | None) -> L:
    """The document with what a log said; as it is without one."""
    return document if corrected is None else document.model_copy(update={"log": corrected.part})


def sourced(model: Given, example: Example | None) -> Source:
    """The model itself; a PyTorch module as it is exported at ``example``.

    Raises:
        InputError: a module without an example, or an example without one; or the module cannot be exported.
    """
    (found,) = sourced_all((model,), example)
    return found


def sourced_all(models: Sequence[Given], example: Example | None) -> list[Source]:
    """Each as :func:`sourced`; one ``example`` is for all modules among them."""
    from surgery.training.torches import is_module

    if example is not None and not any(map(is_module, models)):
        raise InputError("an example is what a torch.nn.Module is exported with", where="example")
    return [_exported(model, example) if is_module(model) else model for model in models]


def _exported(module: nn.Module, example: Example | None) -> Model:
    from surgery.training.export import export

    if example is None:
        hint = "example=torch.zeros(1, 3, 224, 224), or a tuple or mapping of what forward takes"
        raise InputError("a module is exported with example inputs", where=type(module).__name__, hint=hint)
    return export(module, example)


def loaded_at(model: Source, shapes: Shapes) -> Model:
    """The model with its inputs at ``shapes``, where there are any."""
    loaded = Model.load(model)
    if shapes:
        freeze(loaded, shapes)
    return loaded


def pipeline_of(given: Steps, march: str | None) -> Pipeline:
    """A pipeline as it was given, from its file, or the default one of ``march``."""
    if isinstance(given, Pipeline):
        return given
    return Pipeline.default(march) if given is None else Pipeline.from_yaml(given)
