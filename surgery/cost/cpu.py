"""Nodes on the CPU: a physical estimate, since no public measurement has one inside a deployed graph."""

from __future__ import annotations

from surgery.cost import work
from surgery.cost.coefficients import Rate, Rates
from surgery.cost.interval import Interval
from surgery.ir.graph import Node
from surgery.target.params import macs

_HARD = frozenset(
    {
        *(
            "Softmax",
            "LogSoftmax",
            "Exp",
            "Log",
            "Erf",
            "Sigmoid",
            "Tanh",
            "Sin",
            "Cos",
            "Tan",
            "Pow",
            "Softplus",
            "Mish",
        ),
        *("Gelu", "Elu", "Selu", "Celu", "TopK", "NonMaxSuppression", "GridSample", "Resize", "Upsample"),
        *("LayerNormalization", "InstanceNormalization", "GroupNormalization"),
    }
)
_NOTHING = frozenset(
    {
        *("Identity", "Dropout", "Constant", "Shape", "Size", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "If"),
    }
)
_TURNING = {"DequantizeLinear": "dequantise", "QuantizeLinear": "quantise"}


def time(node: Node, table: Rates) -> tuple[Rate, Interval]:
    """The coefficient that dominates, and microseconds; NotStatic when a dim is not known.

    Quantising and dequantising are fitted with the transfers; the rest is the largest of arithmetic, traffic of
    32-bit elements and hard functions, and the overhead of a call.
    """
    call = table.cpu["call"]
    if node.op in _TURNING:
        rate = table.host[_TURNING[node.op]]
        return rate, rate.of(table.batch * work.elements(node.outputs[0]) * 1e-6).plus(call.us)
    if node.op in _NOTHING:
        return call, call.us
    rate, us = max(_parts(node, table), key=lambda part: part[1].mid)
    return rate, us.plus(call.us)


def _parts(node: Node, table: Rates) -> list[tuple[Rate, Interval]]:
    written = sum(work.elements(t) for t in node.outputs if t.name)
    touched = written + sum(work.elements(t) for t in node.inputs if t.name)
    amounts = {"byte": 4e-6 * touched, "mac": 1e-9 * macs(node), "hard": 1e-6 * written if node.op in _HARD else 0.0}
    return [(table.cpu[name], table.cpu[name].of(table.batch * value)) for name, value in amounts.items()]
