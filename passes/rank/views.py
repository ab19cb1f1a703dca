"""Elementwise operators between two reshapes, computed in the shape that is reshaped."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from passes.rank.operators import BINARY
from passes.rank.region import Array, Layout, Lift, Region, accepts, values
from passes.rank.site import FORMS
from passes.rank.writers import ELEMENTWISE
from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, build, need


@dataclass(frozen=True)
class View(Layout):
    """Values of one shape, of any rank, as values of another shape of rank 4."""

    shape: tuple[int, ...]
    wanted: tuple[int, ...]
    writers = ELEMENTWISE

    @property
    def rank(self) -> int:  # type: ignore[override]  # of this view, not of all
        """The rank of the shape."""
        return len(self.shape)

    def holds(self, tensor: Tensor, node: Node) -> None:
        """Of the one shape, as are constants that are not numbers."""
        if tensor.shape != self.shape:
            raise Mismatch(f"{tensor.name!r} is {dims(tensor.shape)}, it must be {dims(self.shape)}", node)
        for constant in (t for t in node.inputs if isinstance(t, Constant) and node.op in BINARY):
            wide = self.array(need.constant(node, node.inputs.index(constant)), tensor)
            if wide.size > max(1, constant.values.size):
                text = f"{constant.name!r} of {dims(constant.shape)} would grow to {dims(wide.shape)}"
                raise Mismatch(f"{text}, it must not grow", node)

    def up(self, rw: Rewriter, value: Tensor) -> Tensor:
        """In the other shape, or what it was reshaped from."""
        source = self.source(value)
        return build.reshape(rw, value, self.wanted) if source is None else source

    def source(self, value: Tensor) -> Tensor | None:
        """What ``value`` was reshaped from, where that has the other shape."""
        maker = value.producer
        if maker is None or maker.op not in FORMS or maker.inputs[0].shape != self.wanted:
            return None
        return maker.inputs[0]

    def down(self, rw: Rewriter, value: Tensor, like: Value) -> Tensor:
        """In the one shape again."""
        return build.reshape(rw, value, self.shape)

    def reshaped(self, rw: Rewriter, reader: Node, value: Tensor) -> Tensor | None:
        """``value`` itself, or one Reshape of it."""
        after = ops.static_shape(reader.outputs[0])
        if after is None:
            return None
        return value if after == self.wanted else build.reshape(rw, value, after)

    def array(self, array: Array, like: Tensor) -> Array:
        """In the other shape, no larger than it has to be."""
        if array.size == 1:
            return array.reshape((1,) * len(self.wanted))
        return shrunk(np.broadcast_to(array, self.shape).reshape(self.wanted))


def shrunk(array: Array) -> Array:
    """``array`` with axes of equal elements cut to size 1, so that it broadcasts to what it was.

    >>> shrunk(np.array([[1, 2], [1, 2]])).tolist()
    [[1, 2]]
    """
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if array.shape[axis] > 1 and np.array_equal(np.broadcast_to(first, array.shape), array):
            array = first
    return np.ascontiguousarray(array)


class LiftViews(Lift):
    """``Reshape(f(Reshape(x))) -> f(x)`` for elementwise operators f, of several values, too, where x has rank 4.

    The vendor's optimiser does so at rank 3 and 5, not where the batch becomes another: a sum at rank 2 of values
    1x64x16x16 takes 309 us between convolutions on bayes-e at O2, and 25 at rank 4. Exact: every element is
    computed as before.
    """

    name, roots, purpose, exactness = "lift-views", FORMS, Purpose.ACCELERATE, Exactness.EXACT
    cures = frozenset(f"{op}.{limit}" for op in BINARY for limit in ("ranks", "merged_rank"))
    layout: ClassVar[Layout] = View((), ())

    def match(self, node: Node, ctx: Context) -> Region:
        """A reshape to rank 4 of what is computed of values that had that shape."""
        value = need.value(node.inputs[0], node)
        shape, wanted = need.static(value, node), need.static(node.outputs[0], node)
        need.rank(node.outputs[0], node, 4)
        maker = value.producer
        if maker is None or not prod(shape):
            raise Mismatch(f"{value.name!r} is not computed by an elementwise operator", node)
        layout = View(shape, wanted)
        accepts(layout, maker)
        region = Region(layout, maker)
        ends = {t for n in region.nodes for t in values(n)} - {t for n in region.nodes for t in n.outputs}
        if not any(layout.source(end) is not None for end in ends):
            raise Mismatch(f"nothing comes from {dims(wanted)}, the shape that it is reshaped to", node)
        return region


class LegaliseViews(LiftViews):
    """The same where the reshapes are what a march has no BPU kernel for."""

    name, purpose = "legalise-views", Purpose.LEGALISE
    cures = frozenset(f"{op}.device" for op in FORMS)
