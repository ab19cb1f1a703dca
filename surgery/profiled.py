"""``profile``: files of the board and of the toolchain taken together, led back to the user's model, with cures."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from surgery.errors import InputError
from surgery.ir.notes import some
from surgery.pipeline import registry
from surgery.pipeline.cures import cures
from surgery.pipeline.view import folded, place_as_seen
from surgery.report.advice import Known, advised
from surgery.report.base import ModelRef
from surgery.report.catalogue import pass_entry
from surgery.report.check import NodeRow, check_document
from surgery.report.profile import ProfileDocument, profile_document
from surgery.target import Target, load_target, march_names
from surgery.toolchain.log import TableRow
from surgery.toolchain.names import Names, named
from surgery.toolchain.profiles import read_profile
from surgery.toolchain.profiles.breakdown import bottleneck, shares
from surgery.toolchain.profiles.together import Together, together

if TYPE_CHECKING:
    from surgery.ir import Model

_NEVER = frozenset({"opset", "*"})
"""Limits that a pass cures without bringing an operator from the CPU to the BPU."""


def profiled(
    files: Sequence[str | PathLike[str]], model: Model | None = None, target: Target | None = None
) -> ProfileDocument:
    """Where the time of a frame goes by ``files``, with the nodes of ``model`` and the cures on ``target``.

    Without a ``target`` it is the march that the files name, if they do. A file that is given twice counts once.

    Raises:
        InputError: a file that is no profile, files of several models or marches, or of another model or march.
    """
    once = {os.path.realpath(file): file for file in files}
    found = together([read_profile(file) for file in once.values()])
    target = target or (load_target(found.march) if found.march in march_names() else None)
    need_march(found, target)
    names = Behind(found, model)
    parts = shares(found)
    document = profile_document(found, parts, bottleneck(found, parts), names)
    document = document.model_copy(
        update={
            "march": target.name if target else found.march,
            "model": ModelRef.of(model) if model else None,
            "unmatched": names.unmatched,
        }
    )
    return document.model_copy(update={"advice": advised(document, _known(model, target))})


def need_march(found: Together, target: Target | None) -> None:
    """InputError where the files name another march; one of the user's own is taken for any."""
    if target and found.march in march_names() and target.name in march_names() and found.march != target.name:
        path = next(file.path for file in found.files if file.march)
        raise InputError(f"is of {found.march}, not of {target.name}", where=path, hint=f"use --march {found.march}")


class Behind:
    """From names of the toolchain's to nodes of a model; from every name to none without a model.

    Raises:
        InputError: half of the names or more lead to no node: the files are of another model.
    """

    def __init__(self, found: Together, model: Model | None) -> None:
        self.names: Names | None = None
        self.unmatched: tuple[str, ...] = ()
        rows = list(_rows(found)) if model else []
        if model is None or not rows:
            return
        self.names = named(model, rows)
        self.unmatched = tuple(row.name for row in rows if not self(row.name))
        if 2 * len(self.unmatched) > len(rows):
            told = f"{len(self.unmatched)} of the {len(rows)} names match no node ({some(self.unmatched)})"
            where = ", ".join(file.path for file in found.files)
            raise InputError(f"of another model: {told}", where=where, hint="give the model that was compiled")

    def __call__(self, name: str) -> tuple[str, ...]:
        """Names of the nodes behind ``name``."""
        return self.names.behind(name) if self.names else ()


def _rows(found: Together) -> Iterator[TableRow]:
    """What the files name, as rows of a placement table: those of the table itself, of entries, else of layers."""
    told = dict.fromkeys(row.name for row in found.rows)
    yield from found.rows
    for item in found.timed.items if found.timed else ():
        if item.role in ("cpu", "quantise", "dequantise") and item.node not in told:
            told[item.node] = None
            yield TableRow(item.node, "cpu", None, item.op)
    for segment in found.segments if not found.rows else ():
        for layer in segment.layers:
            if layer.name not in told:
                told[layer.name] = None
                yield TableRow(layer.name, "bpu", 0, "")


def _known(model: Model | None, target: Target | None) -> Known:
    if target is None:
        return Known()
    rows = {row.name: row for row in _placed(model, target)} if model else {}
    return Known(rows, frozenset(target.on_request), {} if model else _catalogue())


def _placed(model: Model, target: Target) -> tuple[NodeRow, ...]:
    twin = folded(model)
    placement = place_as_seen(model, target, twin)
    return check_document(model, placement, cures(twin, placement)).nodes


def _catalogue() -> dict[str, tuple[str, ...]]:
    """The passes that can bring an operator to the BPU, by operator, as far as they say."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name in registry.names():
        for limit in pass_entry(registry.load(name), default=False).cures:
            op, _, rule = limit.partition(".")
            if rule not in _NEVER:
                found[op][name] = None
    return {op: tuple(passes) for op, passes in found.items()}
