"""How much neighbouring layers hide of each other's loading and storing.

What is loaded ahead lies beside the weights in use: a layer whose weights fill the chip hides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from surgery.cost.segments import ON_BPU

if TYPE_CHECKING:
    from surgery.cost.coefficients import Rates
    from surgery.cost.nodes import NodeCost

Layer: TypeAlias = "tuple[float, float, float]"
"""Microseconds of computing and of moving, and of what may be moved ahead while it computes."""


def hidden(costs: Sequence[NodeCost], table: Rates) -> float:
    """What is left of the sum of the times on the BPU when windows of layers share what they hide, 0..1.

    The mean over all windows of ``memory.window`` layers, in the order of the graph: a layer that waits for its
    weights waits less next to one that computes for long.
    """
    memory = table.memory
    busy = (cost for cost in costs if cost.device in ON_BPU and cost.us.mid > 0)
    layers = [(cost.computing.mid, cost.moving.mid, table.ahead(cost.weights)) for cost in busy]
    alone = sum(side_by_side(*layer, memory.exposed) for layer in layers)
    if memory.window == 1 or not alone:
        return 1.0
    return windowed(layers, memory.exposed, memory.window) / alone


def windowed(layers: Sequence[Layer], exposed: float, window: int) -> float:
    """The time of layers whose windows hide what they can.

    Every layer is in as many windows as a window has layers, those at the ends in shorter ones, too.
    """
    computing, moving, ahead = (list(accumulate((layer[i] for layer in layers), initial=0.0)) for i in range(3))
    total = 0.0
    for end in range(1, len(layers) + window):
        first, last = max(0, end - window), min(end, len(layers))
        total += side_by_side(
            computing[last] - computing[first], moving[last] - moving[first], ahead[last] - ahead[first], exposed
        )
    return total / window


def side_by_side(computing: float, moving: float, ahead: float, exposed: float) -> float:
    """The time of computing and moving at once: a part of the shorter one, and what is not moved ahead, is exposed."""
    return computing + moving - min((1 - exposed) * min(computing, moving), ahead)
