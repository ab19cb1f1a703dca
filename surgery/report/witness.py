"""What the vendor's own toolchain said, as parts of the documents: beside our verdict, before and after a run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from surgery.report.base import Number, Part, Text
from surgery.report.value import ValueDrift

if TYPE_CHECKING:
    from surgery.report.check import NodeRow
    from surgery.toolchain import Answer
    from surgery.toolchain.names import Names

Device = Literal["bpu", "cpu", "folded"]


class Inserted(Part):
    """A node that the toolchain put in, where it runs, and the node it was put in for ("" when that is unknown)."""

    name: Text
    type: str
    device: Device
    node: Text


class Disagreement(Part):
    """A node that we and the toolchain place differently."""

    name: Text
    op: Text
    ours: str
    theirs: Device


class LayerCost(Part):
    """Cost of a row of the compiled model in microseconds, without DDR and of DDR, and the nodes it stands for."""

    name: Text
    nodes: tuple[Text, ...]
    compute_us: Number
    transfer_us: Number


class WitnessSide(Part):
    """One model as the toolchain sees it; the times are those of ``level`` and of its BPU segments alone.

    ``refusal`` is the kind of reason for which there is no result, ``reason`` the sentence; ``made_up`` says that
    weights were absent and seeded ones were compiled. ``own`` are those rows of ``cpu`` that stand for no node of the
    model: the toolchain put them in.
    """

    accepted: bool
    refusal: str = ""
    reason: Text = ""
    rows: int = 0
    cpu: tuple[Text, ...] = ()
    own: tuple[Text, ...] = ()
    segments: int = 0
    level: str = ""
    latency_us: Number = None
    ddr_bytes: int | None = None
    ops: int | None = None
    layers: tuple[LayerCost, ...] = ()
    made_up: bool = False
    seconds: float = 0.0
    cached: bool = False


class WitnessCheck(Part):
    """The toolchain's verdict beside ours."""

    versions: dict[str, str]
    side: WitnessSide
    agreed: int
    disagreements: tuple[Disagreement, ...]
    inserted: tuple[Inserted, ...]


class PassTime(Part):
    """BPU time of the model after a pass, None where the toolchain refused it."""

    by: Text
    latency_us: Number
    reason: Text = ""


class WitnessRun(Part):
    """Before and after, compiled for real.

    ``speedup`` is latency before over after, None with ``reason`` where either was refused; ``steps`` are only
    measured when the model became slower or is refused, ``guilty`` the pass at which it did.
    """

    versions: dict[str, str]
    level: str
    before: WitnessSide
    after: WitnessSide
    speedup: Number
    reason: Text = ""
    guilty: Text = ""
    steps: tuple[PassTime, ...] = ()


class QuantisedDrift(Part):
    """One quantised model against the float reference: ``model`` A or B, ``stage`` calibrated or quantized.

    ``reason`` says why there are no numbers.
    """

    model: Literal["A", "B"]
    stage: str
    outputs: tuple[ValueDrift, ...] = ()
    reason: Text = ""


class WitnessDiff(Part):
    """Fake-quant and int8 outputs of both models, as the toolchain for ``march`` computes them, against float A."""

    march: str
    method: str
    samples: int
    rows: tuple[QuantisedDrift, ...]


def witness_side(answer: Answer, names: Names | None = None, *, made_up: bool = False) -> WitnessSide:
    """One model as an answer has it; ``names`` lead from its layers to our nodes."""
    place, found = answer.placement, answer.performance
    return WitnessSide(
        accepted=answer.refusal is None,
        refusal=answer.refusal.kind.value if answer.refusal else "",
        reason=answer.refusal.text if answer.refusal else "",
        rows=len(place.rows) if place else 0,
        cpu=place.cpu if place else (),
        own=tuple(name for name in place.cpu if name in names.inserted) if place and names else (),
        segments=place.segments if place else 0,
        level=found.level if found else "",
        latency_us=found.latency_us if found else None,
        ddr_bytes=found.ddr_bytes if found else None,
        ops=found.ops if found else None,
        layers=tuple(_layers(answer, names)),
        made_up=made_up,
        seconds=answer.seconds,
        cached=answer.cached,
    )


def _layers(answer: Answer, names: Names | None) -> Iterable[LayerCost]:
    for layer in answer.performance.layers if answer.performance else ():
        behind = names.behind(layer.name) if names else ()
        yield LayerCost(name=layer.name, nodes=behind, compute_us=layer.compute_us, transfer_us=layer.transfer_us)


def witness_check(rows: Iterable[NodeRow], answer: Answer, names: Names | None, *, made_up: bool) -> WitnessCheck:
    """The toolchain's verdict beside our ``rows``; nothing to compare where it refused the model."""
    pairs = [(row, names.device(row.name)) for row in rows] if names else []
    differ = [(row, theirs) for row, theirs in pairs if not same_place(row.device, theirs, row.into)]
    return WitnessCheck(
        versions=answer.versions,
        side=witness_side(answer, names, made_up=made_up),
        agreed=len(pairs) - len(differ),
        disagreements=tuple(
            Disagreement(name=row.name, op=row.op, ours=row.device, theirs=theirs) for row, theirs in differ
        ),
        inserted=tuple(_inserted(answer, names)) if names else (),
    )


def same_place(ours: str, theirs: Device, into: str | None = None) -> bool:
    """Whether two devices mean the same: what is folded into a node on the BPU costs nothing there either.

    ``into`` is where the node is that ours goes into: of one on the CPU the toolchain may still show it.
    """
    return ours == theirs or {ours, theirs} == {"bpu", "folded"} or (ours == "folded" and into == theirs)


def _inserted(answer: Answer, names: Names) -> Iterable[Inserted]:
    place = answer.placement
    types = {name: row.type for name, row in zip(place.names, place.rows, strict=True)} if place else {}
    for name, node in names.inserted.items():
        yield Inserted(name=name, type=types.get(name, ""), device=names.devices[name], node=node)


def witness_run(
    before: WitnessSide, after: WitnessSide, versions: dict[str, str], level: str, steps: tuple[PassTime, ...] = ()
) -> WitnessRun:
    """Before and after; the guilty pass is the first after which the model is refused, or the one that cost most."""
    speedup, reason = _speedup(before, after)
    return WitnessRun(
        versions=versions,
        level=level,
        before=before,
        after=after,
        speedup=speedup,
        reason=reason,
        guilty=_guilty(before.latency_us, steps),
        steps=steps,
    )


def _speedup(before: WitnessSide, after: WitnessSide) -> tuple[float | None, str]:
    for when, side in (("before", before), ("after", after)):
        if not side.accepted:
            return None, f"refused {when}: {side.reason}"
    if not before.latency_us or not after.latency_us:
        return None, "nothing runs on the BPU"
    return before.latency_us / after.latency_us, ""


def _guilty(before: float | None, steps: tuple[PassTime, ...]) -> str:
    refused = next((step.by for step in steps if step.latency_us is None), "")
    times = [before, *(step.latency_us for step in steps)]
    if refused or len(steps) == 0 or None in times:
        return refused
    slower = [(now or 0.0) - (last or 0.0) for last, now in pairwise(times)]
    worst = max(range(len(slower)), key=slower.__getitem__)
    return steps[worst].by if slower[worst] > 0 else ""
