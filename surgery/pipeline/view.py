"""Models as a toolchain sees them: its converter folds constants and static shapes before it places anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surgery.errors import InputError
from surgery.ir import Model, Node
from surgery.pipeline import registry
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import Pipeline
from surgery.pipeline.result import Status
from surgery.target import Placement, Target, place
from surgery.target.params import macs

FOLDING = "fold-constants"
"""The pass that does what converters do on import."""


def folded(model: Model) -> Model:
    """A copy of ``model`` as :func:`fold` makes it."""
    twin = model.copy()
    fold(twin)
    return twin


def fold(model: Model) -> None:
    """Compute the constants and static shapes of ``model``; unverified, needs no large weights."""
    Manager(model, draft=True).run([(FOLDING, registry.load(FOLDING)())])


def frozen(model: Model, shapes: Mapping[str, Sequence[int]]) -> Model:
    """A copy of ``model`` as :func:`freeze` makes it."""
    twin = model.copy()
    freeze(twin, shapes)
    return twin


def freeze(model: Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """Make the inputs of ``model`` static, at ``shapes`` where these say so; unverified.

    Raises:
        InputError: the shapes contradict the model, or dims stay open.
    """
    for step in Pipeline(()).freezing(shapes).steps:
        done = Manager(model, draft=True).run([(step.id, step.step)])[-1]
        if done.status is Status.FAILED:
            raise InputError(done.reason, where=step.id)


def place_as_seen(model: Model, target: Target, twin: Model | None = None) -> Placement:
    """The placement of ``model`` after the converter's folding; what that removes is ``folded``.

    Args:
        twin: the folded model, where there is one already; its nodes must not change afterwards.
    """
    return place_folded(twin or folded(model), target, work_of(model))


def place_folded(model: Model, target: Target, before: Mapping[Node, int]) -> Placement:
    """The placement of a folded ``model``, whose :func:`work_of` was ``before``; nodes that are gone are ``folded``."""
    seen = place(model, target)
    left = {row.node.name for row in seen.rows}
    gone = {node: work for node, work in before.items() if node.name not in left}
    return Placement(target, seen.rows, seen.refusals, seen.folds, gone, seen.inserted)


def work_of(model: Model) -> dict[Node, int]:
    """The nodes of ``model`` with their multiply-accumulates as far as they are known."""
    return {node: macs(node) for node in model.nodes()}
