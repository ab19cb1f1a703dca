"""Segments of the toolchain's own that a recurrent operator on the CPU becomes, which it takes apart step by step."""

from __future__ import annotations

from surgery.ir import ops
from surgery.ir.graph import Node

_STATE = 5
"""Position of the operand that is the state at first."""


def steps_apart(node: Node) -> int:
    """How many segments a GRU of one batch and static length becomes; of others as many as of one batch, 0 unknown.

    Its products are on the BPU, the sum that makes the next state on the CPU. Of a state that is nothing at first, the
    first step and the last one are less, and more. Where the reset comes before the product, it parts a step.
    """
    length = node.inputs[0].shape[0] if node.inputs[0].shape else None
    if not isinstance(length, int) or length < 1:
        return 0
    sides = 2 if ops.attr(node, "direction", "forward") == "bidirectional" else 1
    given = len(node.inputs) > _STATE and not node.inputs[_STATE].is_empty()
    if not given:
        return sides * max(2, 2 * length - 1)
    return sides * length * (1 if ops.attr(node, "linear_before_reset", 0) else 2)
