"""What waits for the end of a branch that begins with it, and goes to memory where weights need its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from surgery.cost import work
from surgery.cost.layouts import are_odd
from surgery.cost.links import features, feeder, reader
from surgery.ir.graph import Node, Tensor

if TYPE_CHECKING:
    from surgery.cost.coefficients import Alignment

_PASSED = frozenset({"BatchNormalization", "Relu", "Clip"})
"""What may stand between the last layer of a branch and the sum."""
_LONGEST = 64
_NO_ROOM = 1 << 40
"""Bytes of weights that stand for a branch beside which nothing has room."""


class Waiting(NamedTuple):
    """Bytes of int8 that wait, and those of the weights of the branch."""

    size: int
    weights: int


def waiting(last: Node, align: Alignment) -> Waiting | None:
    """What waits for the branch that ends with ``last``; None where it ends none, or none that begins near."""
    joined = reader(last)
    while joined is not None and joined.op in _PASSED:
        joined = reader(joined)
    if joined is None or joined.op != "Add" or len(features(joined)) != 2:
        return None
    for tensor in features(joined):
        if branch := _between(tensor, last):
            weights = sum(work.weight_bytes(node, align).stored for node in branch)
            return Waiting(work.padded(tensor, align), _NO_ROOM if any(_is_odd(n, align) for n in branch) else weights)
    return None


def _is_odd(node: Node, align: Alignment) -> bool:
    """Whether a node moves channels of whole maps, so that the branch is not worked through some rows at a time."""
    return (node.op == "Concat" and are_odd(node, node.inputs, align)) or (
        node.op == "Split" and are_odd(node, node.outputs, align)
    )


def _between(start: Tensor, last: Node) -> set[Node]:
    """The nodes from ``start`` to ``last``, nothing when no path of theirs begins there."""
    found, left, met = {last}, [last], False
    while left and len(found) < _LONGEST:
        for tensor in features(left.pop()):
            made = feeder(tensor, alone=False)
            if tensor is start:
                met = True
            elif made is not None and made not in found:
                found.add(made)
                left.append(made)
    return found if met and not left else set()
