"""How much neighbouring layers hide of each other's loading and storing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from surgery.cost.segments import ON_BPU

if TYPE_CHECKING:
    from surgery.cost.coefficients import Memory
    from surgery.cost.nodes import NodeCost


def hidden(costs: Sequence[NodeCost], memory: Memory) -> float:
    """What is left of the sum of the times on the BPU when windows of layers share what they hide, 0..1.

    The mean over all windows of ``memory.window`` layers, in the order of the graph: a layer that waits for its
    weights waits less next to one that computes for long.
    """
    layers = [(c.computing.mid, c.moving.mid) for c in costs if c.device in ON_BPU and c.us.mid > 0]
    alone = sum(side_by_side(computing, moving, memory.exposed) for computing, moving in layers)
    if memory.window == 1 or not alone:
        return 1.0
    return windowed(layers, memory.exposed, memory.window) / alone


def windowed(layers: Sequence[tuple[float, float]], exposed: float, window: int) -> float:
    """The time of layers, (computing, moving) each, whose windows hide what they can.

    Every layer is in as many windows as a window has layers, those at the ends in shorter ones, too.
    """
    sums = [list(accumulate((layer[side] for layer in layers), initial=0.0)) for side in (0, 1)]
    total = 0.0
    for end in range(1, len(layers) + window):
        first, last = max(0, end - window), min(end, len(layers))
        total += side_by_side(sums[0][last] - sums[0][first], sums[1][last] - sums[1][first], exposed)
    return total / window


def side_by_side(computing: float, moving: float, exposed: float) -> float:
    """The time of computing and moving at once, of which a part of the shorter one is not hidden."""
    return max(computing, moving) + exposed * min(computing, moving)
