"""Choose what a march's estimate says of memory: what spills, what waits, and how far moving hides behind computing.

Of all nodes of the whole models of a march, with the times of computing that its rates predict; chosen is what brings
the models' times, as they were compiled and, of one march, on a board, and the bytes they load and store, closest to
what was measured, and what is faster before what is slower; some numbers after the others until none changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise, permutations, product
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import least_squares

from surgery.cost.overlap import windowed

if TYPE_CHECKING:
    from fit_cost import Whole, Work

OUTPUT = 4
"""Bytes per element that the host reads: the compiler hands 32-bit integers out (seen in what it stores)."""
NEVER = 1e6
MOVED, MISORDERED = 0.25, 1.0
"""How much the median error of the bytes counts beside the errors of the time, and the share of models put in the wrong
order."""
SOFT = 0.1
"""Relative error of a network from which on more counts less."""
KEPT = ("held", "handed", "held_looked", "handed_looked")
"""Where a node's work has sizes of tensors."""
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Indices: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


class Memory(NamedTuple):
    """Sizes in MB; NEVER where nothing is that large.

    Attributes:
        spill_mb: size of a tensor that is held from which on a share of it goes through memory, and the share.
        pass_mb: the same of one that is handed on, and the share.
        looked_up_share: the share of what lookups make; 0 where it is as of others.
        wait_mb: weights of a branch from which on what waits for its end goes through memory.
        exposed: the part of the shorter one of computing and moving that is not hidden.
        window: neighbouring layers that hide each other's moving.
        ahead_mb: weights in use and those loaded ahead of their use, together at most.
    """

    spill_mb: float
    spill_share: float
    pass_mb: float
    pass_share: float
    looked_up_share: float
    wait_mb: float
    exposed: float
    window: int
    ahead_mb: float


CHOICES: dict[str, Sequence[float]] = {
    "spill_mb": (0.001, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, NEVER),
    "spill_share": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 1.0),
    "pass_mb": (0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, NEVER),
    "pass_share": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0),
    "looked_up_share": (0.0, 0.3, 0.5, 0.6, 0.7, 0.85, 1.0),
    "wait_mb": (0.3, 0.45, 0.6, 0.8, 1.0, 1.5, NEVER),
    "exposed": tuple(float(x) for x in (*np.arange(0, 0.2, 0.02).round(2), *np.arange(0.2, 0.61, 0.05).round(2))),
    "window": (1, 2, 3, 4, 6, 8, 10, 12, 16, 24),
    "ahead_mb": (0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, NEVER),
}
TOGETHER = (
    ("spill_mb", "spill_share"), ("pass_mb", "pass_share"), ("wait_mb", "exposed"), ("exposed", "window"),
    ("ahead_mb", "exposed"), ("looked_up_share", "exposed"),
)  # fmt: skip
"""Numbers that are chosen at once: one of a pair alone makes little better."""
STARTS = (
    Memory(0.4, 1.0, NEVER, 0.3, 0.0, NEVER, 0.1, 4, NEVER),
    Memory(0.2, 0.5, 0.8, 0.3, 0.0, 0.6, 0.1, 8, 1.25),
    Memory(0.001, 1.0, 1.5, 0.5, 0.0, 0.6, 0.5, 1, NEVER),
    Memory(0.1, 0.3, 1.0, 0.3, 0.0, 1.0, 0.1, 1, 1.5),
    Memory(0.001, 1.0, 0.6, 0.4, 1.0, 0.45, 0.4, 1, 1.0),
    Memory(NEVER, 0.5, NEVER, 0.3, 0.0, NEVER, 0.2, 8, NEVER),
    Memory(0.2, 0.4, 0.8, 0.4, 0.0, NEVER, 0.1, 16, 1.0),
)


class Known(NamedTuple):
    """Of a whole model: what its nodes compute and move for certain, and what they may; what was measured."""

    segments: tuple[slice, ...]
    computing: Floats
    weights: Floats
    loaded: Floats
    sure: Floats
    kept: tuple[tuple[Floats, Floats], ...]
    waits: tuple[Floats, Floats, Floats]
    latency: float
    ddr_mb: float
    family: str
    board: float

    def moved(self, memory: Memory) -> Floats:
        """MB that every node moves, as surgery.cost counts them."""
        count = len(self.computing)
        total = self.sure.copy()
        rooms = [(memory.spill_mb, memory.spill_share), (memory.pass_mb, memory.pass_share)]
        rooms += [(0.0, memory.looked_up_share)] * 2 if memory.looked_up_share else rooms
        for (at, mb), (room, share) in zip(self.kept, rooms, strict=True):
            total += np.bincount(at.astype(int), share * np.maximum(0.0, mb - room), count)
        at, mb, beside = self.waits
        return np.asarray(total + np.bincount(at.astype(int), 2 * mb * (beside > memory.wait_mb), count))

    def computed(self, memory: Memory, rate: float, moving: float) -> float:
        """Microseconds of the whole, at ``rate`` per MB and ``moving`` per layer that moves anything."""
        mb = self.moved(memory)
        us = rate * mb + moving * (mb > 0)
        late = rate * self.loaded * np.clip(2 - memory.ahead_mb / np.maximum(self.weights, 1e-9), 0.0, 1.0)
        rows = np.stack([self.computing, us, late], axis=1)
        return sum(windowed(rows[part], memory.exposed, memory.window) for part in self.segments)


def known(whole: Whole, rates: Mapping[str, float], entering: float) -> Known:
    """What is known of a whole model, its nodes in the order of the graph."""
    nodes = whole.nodes
    by_segment: dict[str, list[Work]] = defaultdict(list)
    for node in nodes:
        by_segment[node.segment].append(node)
    ordered = [node for found in by_segment.values() for node in found]
    ends = list(accumulate(map(len, by_segment.values()), initial=0))
    edges = [entering * node.enters + OUTPUT * node.leaves for node in ordered]

    def listed(name: str) -> tuple[Floats, Floats]:
        told = [(i, size * 1e-6) for i, node in enumerate(ordered) for size in getattr(node, name)]
        at, mb = np.array(told, float).reshape(-1, 2).T
        return at, mb

    waits = [(i, mb * 1e-6, beside * 1e-6) for i, node in enumerate(ordered) for mb, beside in node.waits]
    weights, loaded = (np.array([getattr(node, name) for node in ordered]) * 1e-6 for name in ("weights", "loaded"))
    at, aside, beside = np.array(waits, float).reshape(-1, 3).T
    return Known(
        tuple(slice(*pair) for pair in pairwise(ends)),
        np.array([node.computing(rates) for node in ordered]),
        weights,
        loaded,
        loaded + np.array(edges) * 1e-6,
        tuple(map(listed, KEPT)),
        (at, aside, beside),
        whole.latency,
        whole.ddr_bytes * 1e-6,
        nodes[0].family if nodes else "",
        whole.board if len(by_segment) == 1 else 0.0,
    )


def ends(networks: Sequence[Known], memory: Memory, rate: float, moving: float) -> float:
    """Microseconds of a segment that nothing hides, by networks so small that these count.

    What networks of as many layers are off by alike is not of the segments, and is left out.
    """
    if not networks:
        return 0.0
    latency = np.array([net.latency for net in networks])
    off = latency - np.array([net.computed(memory, rate, moving) for net in networks])
    counts = np.array([(len(net.segments), len(net.computing)) for net in networks])

    def left(us: Floats) -> Floats:
        return np.asarray((off - counts @ us) / latency)

    found = least_squares(left, np.zeros(2), loss="soft_l1", f_scale=SOFT)
    return round(max(0.0, float(found.x[0])), 1)


def chosen(models: Sequence[Known], rate: float, moving: float) -> Memory:
    """What is closest, at ``rate`` microseconds per MB and ``moving`` per layer that moves anything."""
    met: dict[Memory, float] = {}
    near = _near(models)

    def error(memory: Memory) -> float:
        if memory not in met:
            met[memory] = _error(models, near, memory, rate, moving)
        return met[memory]

    return min((_descended(start, error) for start in STARTS), key=lambda one: (error(one), one))


def _descended(start: Memory, error: Callable[[Memory], float]) -> Memory:
    """The best along the numbers in turn until none is better."""
    best, before = start, None
    while best != before:
        before = best
        for names in TOGETHER:
            along = product(*(CHOICES[name] for name in names))
            tried = (Memory(**(best._asdict() | dict(zip(names, values, strict=True)))) for values in along)
            best = min((best, *tried), key=error)
    return best


def _near(models: Sequence[Known]) -> Indices:
    """The pairs of models of different families of which one takes up to twice as long, the faster first."""
    found = [
        (i, j)
        for (i, a), (j, b) in permutations(enumerate(models), 2)
        if a.family != b.family and a.latency < b.latency < 2 * a.latency
    ]
    return np.array(found, int).reshape(-1, 2)


def _error(models: Sequence[Known], near: Indices, memory: Memory, rate: float, moving: float) -> float:
    us = np.array([model.computed(memory, rate, moving) for model in models])
    moved = [model.moved(memory).sum() / model.ddr_mb - 1 for model in models]
    faster, slower = us[near].T
    wrong = float(np.mean(faster >= slower)) if len(near) else 0.0
    whole = size(np.abs(us / [model.latency for model in models] - 1))
    board = np.array([model.board for model in models])
    there = size(np.abs(us[board > 0] / board[board > 0] - 1)) if board.any() else 0.0
    return round(whole + there + MOVED * float(np.median(np.abs(moved))) + MISORDERED * wrong, 5)


def size(errors: Sequence[float] | Floats) -> float:
    """One number for errors: the median, half of what one in ten exceeds, and a tenth of the worst."""
    return float(np.median(errors) + 0.5 * np.quantile(errors, 0.9) + 0.1 * np.max(errors))
