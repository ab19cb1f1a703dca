"""Where the time of a frame goes, by kind of work, and what it is bound by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from surgery.toolchain.profiles.profile import Profile, Role
from surgery.toolchain.profiles.together import Together

Work = Role | Literal["waiting", "rest"]
Basis = Literal["measured", "predicted", "difference"]
HOST: frozenset[Work] = frozenset({"cpu", "quantise", "dequantise", "move"})
"""Kinds of work that operators on the CPU do, those put in by the toolchain included."""


@dataclass(frozen=True, slots=True)
class Share:
    """Milliseconds of one kind of work in a frame, in how many entries, and how they are known.

    ``rest`` is what the whole takes beyond its parts, ``waiting`` what a task waits for its turn.
    """

    work: Work
    ms: float
    count: int
    basis: Basis


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What a frame takes longest for.

    Attributes:
        work: the kind of work; ``ddr`` where the BPU's layers load and store longer than they compute.
        name: the entry that takes most of it, "" where it is not told.
        ms: of all of this kind.
        share: of the whole, 0..1.
        on_cpu: whether operators on the CPU take longer than the BPU; None where nothing tells of their time.
    """

    work: Work | Literal["ddr"]
    name: str
    ms: float
    share: float
    on_cpu: bool | None


def shares(found: Together) -> tuple[Share, ...]:
    """The time of a frame by kind of work, the longest first; empty where only totals are known."""
    parts = list(_timed(found.timed) if found.timed else _predicted(found))
    whole = _whole(found)
    left = 0.0 if whole is None or not parts else whole - sum(part.ms for part in parts)
    if left > 0:
        parts.append(Share("rest", left, 1, "difference"))
    return tuple(sorted((part for part in parts if part.ms > 0), key=lambda part: -part.ms))


def _timed(profile: Profile) -> Iterator[Share]:
    for role in dict.fromkeys(item.role for item in profile.items):
        members = [item.ms.avg for item in profile.items if item.role == role]
        yield Share(role, sum(members), len(members), "measured")
    if profile.pending_ms:
        yield Share("waiting", profile.pending_ms.avg, 1, "measured")


def _predicted(found: Together) -> Iterator[Share]:
    if found.segments:
        yield Share("bpu", sum(s.latency_us for s in found.segments) * 1e-3, len(found.segments), "predicted")


def _whole(found: Together) -> float | None:
    """Milliseconds of one frame from submit to done; with others in flight, those of its task alone."""
    if found.basis is not None and found.basis.alone:
        return found.basis.latency_ms
    if found.timed is None or found.timed.running_ms is None:
        return None
    return found.timed.running_ms.avg + (found.timed.pending_ms.avg if found.timed.pending_ms else 0.0)


def bottleneck(found: Together, parts: Sequence[Share]) -> Bottleneck | None:
    """What a frame takes longest for; None where nothing is known but totals."""
    if not parts:
        return None
    total = sum(part.ms for part in parts)
    ms = {part.work: part.ms for part in parts}
    host = sum(time for work, time in ms.items() if work in HOST)
    worst = parts[0].work
    on_cpu = host > ms.get("bpu", 0.0) if found.timed else None
    if on_cpu and worst not in HOST:
        worst = max((part for part in parts if part.work in HOST), key=lambda part: part.ms).work
    by_memory = worst == "bpu" and _by_memory(found)
    return Bottleneck("ddr" if by_memory else worst, _slowest(found, worst), ms[worst], ms[worst] / total, on_cpu)


def _by_memory(found: Together) -> bool:
    layers = [layer for segment in found.segments for layer in segment.layers]
    return sum(layer.transfer_us for layer in layers) > sum(layer.compute_us for layer in layers)


def _slowest(found: Together, work: Work) -> str:
    items = [item for item in found.timed.items if item.role == work] if found.timed else []
    return max(items, key=lambda item: item.ms.avg).name if items else ""
