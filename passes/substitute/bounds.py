"""Minima, maxima and selections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.substitute.base import Substitution, added, floats, spread, times
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, build, need


@dataclass(frozen=True)
class Bounded:
    """A value and the number that limits it from one side."""

    node: Node
    x: Tensor
    bound: float


class BoundAsClip(Substitution[Bounded]):
    """``Max(x, 0) -> Relu(x)``, ``Max(x, a) -> Clip(x, a, )`` and ``Min(x, a) -> Clip(x, , a)`` for a number a.

    A comparison stays a comparison; but Clip makes the largest number of an infinity. Of several numbers the
    strictest counts.
    """

    name, roots = "bound-as-clip", frozenset({"Max", "Min"})
    limits = ("constants",)

    def match(self, node: Node, ctx: Context) -> Bounded:
        """One computed operand, the others constants of one number."""
        computed = [i for i, t in enumerate(node.inputs) if not isinstance(t, Constant)]
        if len(computed) != 1 or len(node.inputs) < 2:
            raise Mismatch(f"{len(computed)} operands are computed, it must be one of several", node)
        x = floats(node, computed[0])
        bounds = [_number(node, i, x) for i in range(len(node.inputs)) if i != computed[0]]
        return Bounded(node, x, max(bounds) if node.op == "Max" else min(bounds))

    def build(self, match: Bounded, rw: Rewriter) -> Tensor:
        """One node."""
        if match.node.op == "Min":
            return build.clip(rw, match.x, None, match.bound)
        return rw.op("Relu", match.x) if match.bound == 0 else build.clip(rw, match.x, match.bound, None)


def _number(node: Node, index: int, x: Tensor) -> float:
    array = need.constant(node, index)
    if array.size != 1:
        raise Mismatch(f"operand {index} holds {array.size} numbers, a bound must be one", node)
    if np.isnan(array).any() or array.ndim > need.rank(x, node):
        raise Mismatch(f"operand {index} must be a number of no higher rank than {x.name!r}", node)
    return float(array.reshape(()))


@dataclass(frozen=True)
class Several:
    """A node of several operands."""

    node: Node
    parts: tuple[Tensor, ...]


class MinAsMax(Substitution[Several]):
    """``Min(a, b) -> Max(a * -1, b * -1) * -1``; exact, since only signs change. Constants are negated at once."""

    name, roots, exactness = "min-as-max", frozenset({"Min"}), Exactness.EXACT
    limits = ("constants",)

    def match(self, node: Node, ctx: Context) -> Several:
        """Float operands."""
        parts = tuple(floats(node, i) for i in range(len(node.inputs)))
        for index, part in enumerate(parts):
            if isinstance(part, Constant):
                need.constant(node, index)
        return Several(node, parts)

    def build(self, match: Several, rw: Rewriter) -> Tensor:
        """A Max between products by -1."""
        turned = [rw.constant(-t.values) if isinstance(t, Constant) else times(rw, t, -1.0) for t in match.parts]
        return times(rw, rw.op("Max", *turned), -1.0)


@dataclass(frozen=True)
class Masked:
    """A selection by a constant mask."""

    node: Node
    mask: np.ndarray[Any, Any]


class WhereAsSum(Substitution[Masked]):
    """``Where(mask, a, b) -> a * m + b * (1 - m)`` for a constant mask, m being 1 where it is true.

    Exact for finite arms: one product is the arm, the other 0; so an arm that may be infinite (0 * inf is no
    number) refuses. A constant arm is masked at once, and then may hold anything. The masks are as large as the result.
    """

    name, roots, exactness = "where-as-sum", frozenset({"Where"}), Exactness.EXACT
    limits = ("arms", "mask")

    def match(self, node: Node, ctx: Context) -> Masked:
        """Arms of a float type, each constant or bounded by what computes it."""
        mask = need.constant(node, 0)
        for index in (1, 2):
            arm = floats(node, index)
            if not isinstance(arm, Constant) and not is_finite(arm):
                raise Mismatch(f"{arm.name!r} may be infinite where the mask drops it; 0 * inf is no number", node)
        if all(isinstance(t, Constant) for t in node.inputs):
            raise Mismatch("every operand is constant: constant folding takes the node away", node)
        return Masked(node, mask)

    def build(self, match: Masked, rw: Rewriter) -> Tensor:
        """Products by the mask and its complement, added."""
        _, a, b = match.node.inputs
        out, mask = match.node.outputs[0], match.mask
        if out.is_static:
            mask = np.broadcast_to(mask, [int(size or 0) for size in out.shape or ()])
        return added(rw, [_arm(rw, a, mask), _arm(rw, b, ~mask)])


def _arm(rw: Rewriter, arm: Tensor, mask: np.ndarray[Any, Any]) -> Tensor:
    if isinstance(arm, Constant):
        return rw.constant(np.where(mask, arm.values, np.zeros((), arm.dtype)))
    return times(rw, arm, spread(mask, max(arm.rank or 0, mask.ndim)))


_BETWEEN = frozenset({"Sigmoid", "Tanh", "HardSigmoid", "Softmax", "Erf", "Sin", "Cos", "Softsign", "Sign"})
_PASSING = frozenset(
    {
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Gather", "Expand", "Tile", "Identity"),
        *("Relu", "Abs", "Neg", "MaxPool", "GlobalMaxPool", "GlobalAveragePool", "AveragePool"),
    }
)


def is_finite(tensor: Tensor, depth: int = 8) -> bool:
    """Whether ``tensor`` is finite for numbers of any size in the graph's inputs, as far as ``depth`` nodes tell."""
    if isinstance(tensor, Constant):
        return not tensor.weight.missing and bool(np.isfinite(tensor.values).all())
    node = tensor.producer
    if node is None or not depth or not node.is_onnx:
        return False
    if node.op in _BETWEEN or (node.op == "Clip" and None not in (ops.clip_bounds(node) or (None,))):
        return True
    if node.op == "Concat":
        return all(is_finite(t, depth - 1) for t in node.inputs)
    return node.op in _PASSING and is_finite(node.inputs[0], depth - 1)
