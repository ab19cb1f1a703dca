"""The map that the rows of a product with a weight lie in, which is what the engine rounds up."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from surgery.cost.links import features, feeder, is_weight
from surgery.ir.graph import Node, Tensor
from surgery.ir.ops import permutation, static_shape

Places = tuple[int, int]
"""Height and width."""

_STEPS = 10
"""Nodes between a product and the map that its tokens were listed of; more were not seen to matter."""
_RUN = 16
"""Least power of two that the compiler parts the rows of a Gemm by."""
_VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_ACTIVATIONS = frozenset({"Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Erf", "Gelu"})
_PASSING = _ACTIVATIONS | {"Add", "Sub", "Mul", "Div", "BatchNormalization", "LayerNormalization", "Identity"}


class Grid(NamedTuple):
    """So many maps of so many places."""

    maps: int
    height: int
    width: int


def grid(node: Node) -> Grid:
    """Where the compiler lays the rows of a product with a weight (seen at O2 on bayes-e and bayes).

    Of tokens that a map was listed into it keeps the map. The rows of a matrix are parted by the largest power of two
    in their number. What else has three axes is a line of tokens for each of the first.
    """
    shape = static_shape(node.outputs[0]) or ()
    rows = shape[:-1] if is_weight(node.inputs[1]) else (*shape[:-2], *shape[-1:])
    if len(rows) > 2:
        return Grid(prod(rows[:-2]), rows[-2], rows[-1])
    listed = next((t for t in features(node) if t.rank), None)
    count = prod(rows)
    if len(rows) < 2 and (width := count & -count) >= _RUN:
        return Grid(1, count // width, width)
    places = None if listed is None else _Search().places(listed, _STEPS)
    if places is not None and count % prod(places) == 0:
        return Grid(count // prod(places), *places)
    return Grid(1, rows[0] if len(rows) == 2 else 1, rows[-1] if rows else 1)


class _Search:
    """Looks for the map that tokens were listed of; once at each tensor, to which branches come back."""

    def __init__(self) -> None:
        self._found: dict[tuple[Tensor, int], Places | None] = {}

    def places(self, tensor: Tensor, steps: int) -> Places | None:
        """Height and width of the map that ``tensor`` lists the places of, found within so many nodes before it."""
        if (tensor, steps) not in self._found:
            self._found[tensor, steps] = self._before(tensor, steps)
        return self._found[tensor, steps]

    def _before(self, tensor: Tensor, steps: int) -> Places | None:
        made = feeder(tensor, alone=False)
        if made is None or not steps:
            return None
        if made.op == "Transpose":
            return _listing(made)
        if made.op in _PASSING or _is_view(made) or _is_weighted(made):
            return self._shared(_operands(made, tensor), steps - 1)
        return None

    def _shared(self, operands: list[Tensor], steps: int) -> Places | None:
        """The map that all of them lie in."""
        found = {self.places(operand, steps) for operand in operands}
        return found.pop() if len(found) == 1 else None


def _listing(node: Node) -> Places | None:
    """The places of a map that ``node`` ends the listing of: a Reshape to BxCxN, and BxNxC of that."""
    before = feeder(node.inputs[0], alone=False)
    if permutation(node) != [0, 2, 1] or before is None or before.op not in _VIEWS:
        return None
    shape = static_shape(before.inputs[0])
    return (shape[2], shape[3]) if shape is not None and len(shape) == 4 else None


def _is_view(node: Node) -> bool:
    """Whether nothing but axes of one place comes or goes."""
    shapes = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    return node.op in _VIEWS and len({tuple(d for d in s if d != 1) for s in shapes if s is not None}) == 1


def _is_weighted(node: Node) -> bool:
    return node.op in ("MatMul", "Gemm") and is_weight(node.inputs[1])


def _operands(node: Node, made: Tensor) -> list[Tensor]:
    """What is as large as what is made of it, and of a product what is no weight."""
    if node.op in ("MatMul", "Gemm"):
        return [node.inputs[0]]
    size = prod(static_shape(made) or ())
    return [t for t in features(node) if prod(static_shape(t) or ()) == size]
