"""The verbs with a log of the vendor's checker: its verdicts in place of predicted ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from surgery.errors import InputError
from surgery.pipeline.view import folded, frozen, place_as_seen
from surgery.report.log import LogPart
from surgery.report.witness import Disagreement, same_place
from surgery.target import Target, Word, place
from surgery.toolchain.checked import VendorLog, need_march, need_model, read_log
from surgery.toolchain.names import Names, named

if TYPE_CHECKING:
    from surgery.ir import Model
    from surgery.pipeline import Pipeline
    from surgery.report.check import CheckDocument

Devices = Mapping[str, Literal["bpu", "cpu"]]


@dataclass(frozen=True)
class Overlay:
    """A march as the log corrects it, what to report of that, and the devices in the log, by node."""

    target: Target
    part: LogPart
    devices: Devices

    def mark(self, document: CheckDocument) -> CheckDocument:
        """The document with the log in it, and every row of which it speaks marked."""
        rows = (row.model_copy(update={"from_log": row.name in self.devices}) for row in document.nodes)
        return document.model_copy(update={"nodes": tuple(rows), "log": self.part})


def overlay(model: Model, target: Target, log: str | os.PathLike[str]) -> Overlay:
    """What ``log`` says of ``model``, which stays as it is, over the data of ``target``.

    Raises:
        InputError: the log cannot be used: see :func:`surgery.toolchain.checked.read_log`; it is of another march or
            another model.
    """
    found = read_log(log)
    need_march(found, target.name)
    names = named(model, found.rows)
    unmatched = tuple(row for row, node in names.inserted.items() if not node)
    need_model(found, unmatched)
    devices = {node: device for node in names.rows if (device := names.device(node)) != "folded"}
    twin = folded(model)
    disagreements = _disagreements(model, twin, target, devices)
    part = _part(found, names, len(devices), disagreements, unmatched)
    return Overlay(_corrected(twin, target, devices), part, devices)


def overlay_at(model: Model, pipeline: Pipeline, target: Target, log: str | os.PathLike[str]) -> Overlay:
    """As :func:`overlay`, of a model at the sizes that ``pipeline`` gives its inputs."""
    sizes = pipeline.frozen(model.graph)
    return overlay(model if sizes is None else frozen(model, sizes), target, log)


def need_march_for(log: object) -> InputError:
    """The error for a log without a march."""
    return InputError("a log corrects the verdicts of a march", where=f"--log {log}", hint="name one: --march X5")


def _disagreements(model: Model, twin: Model, target: Target, devices: Devices) -> tuple[Disagreement, ...]:
    placement = place_as_seen(model, target, twin)
    told = [(row, devices[row.node.name]) for row in placement.rows if row.node.name in devices]
    return tuple(
        Disagreement(name=row.node.name, op=row.node.op, ours=row.device, theirs=theirs)
        for row, theirs in told
        if not same_place(row.device, theirs, placement.host(row))
    )


def _corrected(model: Model, target: Target, devices: Devices) -> Target:
    """``target`` with the fewest words of the log with which it places ``model`` as the log has it.

    What follows from the others is left to the rules: it changes with what passes do to its neighbours.
    """
    words: dict[str, Word] = {}
    while True:
        corrected = target.overlaid(words)
        placement = place(model, corrected)
        more = {
            row.node.name: Word.of(row.node, device)
            for row in placement.rows
            if (device := devices.get(row.node.name)) and not same_place(row.device, device, placement.host(row))
        }
        if more.keys() <= words.keys():
            return corrected
        words |= more


def _part(
    log: VendorLog, names: Names, told: int, disagreements: tuple[Disagreement, ...], unmatched: tuple[str, ...]
) -> LogPart:
    return LogPart(
        path=log.path,
        march=log.march,
        table=log.note,
        rows=len(log.rows),
        nodes=told,
        agreed=told - len(disagreements),
        disagreements=disagreements,
        inserted=tuple(row for row, node in names.inserted.items() if node),
        unmatched=unmatched,
    )
