"""What a placed model costs in time: per node, at the borders, in total, each with a low and a high."""

from surgery.cost.border import Transfer
from surgery.cost.coefficients import Basis, NoCoefficients
from surgery.cost.compare import Pair, pairs
from surgery.cost.estimate import Estimate, estimate, estimate_nodes, local_us
from surgery.cost.interval import Interval
from surgery.cost.nodes import NodeCost, node_cost
from surgery.cost.padding import Padding, paddings
from surgery.cost.roofline import Roof, Use, node_use, roof, total_use
from surgery.cost.speedup import Speedup, speedup
from surgery.cost.timeline import Slot, timeline
from surgery.cost.what_if import AS_IS, WhatIf, what_if

__all__ = [
    "AS_IS",
    "Basis",
    "Estimate",
    "Interval",
    "NoCoefficients",
    "NodeCost",
    "Padding",
    "Pair",
    "Roof",
    "Slot",
    "Speedup",
    "Transfer",
    "Use",
    "WhatIf",
    "estimate",
    "estimate_nodes",
    "local_us",
    "node_cost",
    "node_use",
    "paddings",
    "pairs",
    "roof",
    "speedup",
    "timeline",
    "total_use",
    "what_if",
]
