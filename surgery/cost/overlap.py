"""How much neighbouring layers hide of each other's loading and storing.

Weights that are loaded ahead lie beside those in use: a layer whose weights fill the chip waits for them. Maps that go
through memory do so some rows at a time, while others are computed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from surgery.cost.segments import ON_BPU

if TYPE_CHECKING:
    from surgery.cost.coefficients import Rates
    from surgery.cost.nodes import NodeCost
    from surgery.ir.graph import Node

Layers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
"""A row per layer: microseconds of computing and of moving, and of what of it nothing may be computed beside."""


def hidden(costs: Iterable[NodeCost], segment_of: Mapping[Node, int], table: Rates) -> float:
    """What is left of the sum of the times on the BPU when windows of layers share what they hide, 0..1.

    The mean over all windows of ``memory.window`` layers of a segment, in the order of the graph: a layer that waits
    for its weights waits less next to one that computes for long.
    """
    memory = table.memory
    segments: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for cost in costs:
        if cost.device in ON_BPU and cost.us.mid > 0:
            layer = (cost.computing.mid, cost.moving.mid, cost.late)
            segments[segment_of.get(cost.node, 0)].append(layer)
    layers = [np.array(found) for found in segments.values()]
    alone = sum(windowed(found, memory.exposed, 1) for found in layers)
    if memory.window == 1 or not alone:
        return 1.0
    return sum(windowed(found, memory.exposed, memory.window) for found in layers) / alone


def windowed(layers: Layers, exposed: float, window: int) -> float:
    """The time of layers whose windows hide what they can.

    Every layer is in as many windows as a window has layers, those at the ends in shorter ones, too.
    """
    count = len(layers)
    if not count:
        return 0.0
    sums = np.zeros((count + 1, 3))
    np.cumsum(layers, axis=0, out=sums[1:])
    ends = np.arange(1, count + window)
    computing, moving, late = (sums[np.minimum(ends, count)] - sums[np.maximum(ends - window, 0)]).T
    hid = np.minimum((1 - exposed) * np.minimum(computing, moving), moving - late)
    return float((computing + moving - hid).sum()) / window


def side_by_side(computing: float, moving: float, late: float, exposed: float) -> float:
    """The time of computing and moving at once: a part of the shorter one, and what is ``late``, is exposed."""
    return computing + moving - min((1 - exposed) * min(computing, moving), max(0.0, moving - late))
