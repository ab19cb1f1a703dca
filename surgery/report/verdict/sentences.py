"""Whether a toolchain takes a model, as it is placed or as the toolchain was asked, in a sentence."""

from __future__ import annotations

from surgery.report.check import Assumed, Refusal, Summary
from surgery.report.text import listed, number, plural
from surgery.report.witness import WitnessSide


def asked(globs: tuple[str, ...]) -> str:
    """That what is said holds where the toolchain is asked for it."""
    return f" Its YAML has to ask for {listed(globs)} on the BPU (run_on_bpu)." if globs else ""


def takes(
    march: str, accepted: bool, refusals: tuple[Refusal, ...], side: Summary, assumed: Assumed | None = None
) -> str:
    """Whether the toolchain of ``march`` will take the model, with what left, and on whose limits that rests."""
    if assumed is None or not assumed.nodes:
        return _takes(march, accepted, refusals, side, sure=not side.unknown)
    sentence = _takes(march, accepted, refusals, side, sure=False)
    return f"{sentence} The limits of {plural(assumed.nodes, 'node')} are assumed from {assumed.march}."


def _takes(march: str, accepted: bool, refusals: tuple[Refusal, ...], side: Summary, *, sure: bool) -> str:
    if not accepted:
        reasons = [f"{r.rule} is {r.found}, must hold: {r.text or r.allowed}" for r in refusals]
        reasons = reasons or [f"it fails on {plural(side.refused, 'node')}"]
        return f"The {march} toolchain will refuse the model: {listed(reasons)}."
    known = "will take the model" if sure else "takes the model as far as is known"
    return f"The {march} toolchain {known}: {_left(side)}."


def took(march: str, side: WitnessSide) -> str:
    """Whether the toolchain of ``march`` has taken the model, and with what left."""
    if not side.accepted:
        said = "was not done in time" if side.refusal == "timeout" else f"does not take the model ({side.refusal})"
        return f"The {march} toolchain was asked and {said}: {side.reason}"
    cpu = f"{plural(len(side.cpu), 'row')} on the CPU" if side.cpu else "nothing on the CPU"
    cpu += f" ({len(side.own)} put in by itself)" if side.own else ""
    time = "" if side.latency_us is None else f", {number(side.latency_us / 1000, 4)} ms on the BPU at {side.level}"
    segments = plural(side.segments, "BPU segment")
    return f"The {march} toolchain was asked and takes the model: {cpu}, {segments}{time}."


def _left(side: Summary) -> str:
    counts = [
        f"{plural(side.cpu, 'node')} on the CPU" if side.cpu else "nothing on the CPU",
        f"{plural(side.unknown, 'node')} unknown" if side.unknown else "",
        f"{plural(side.segments, 'BPU segment')}",
    ]
    return ", ".join(filter(None, counts))
