"""Nodes that only move data: same shape, undone, or overwritten by the next."""

from __future__ import annotations

from dataclasses import dataclass

from passes.noops.bypass import Drop, same_form, same_shape
from surgery.ir import Constant, Node, Tensor, ops
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

FORMS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
END = (1 << 31) - 1
"""What exporters write for "to the end", at least."""


class DropSameForm(Drop):
    """Reshape, Flatten, Squeeze, Unsqueeze, Expand, Tile, Slice, Pad that give back what they are given."""

    name, roots = "drop-same-form", FORMS | {"Expand", "Tile", "Slice", "Pad"}

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input."""
        if node.op == "Slice":
            _whole(node)
        elif node.op == "Pad":
            _unpadded(node)
        elif node.op in FORMS:
            same_form(node.inputs[0], node)
        elif not _all_ones(node):
            same_shape(node.inputs[0], node)
        return node.inputs[0]


def _all_ones(node: Node) -> bool:
    """Whether Expand or Tile do nothing whatever the shape of their input is."""
    counts = ops.ints(node, "repeats", 1)
    rank = node.inputs[0].rank
    return counts is not None and rank is not None and len(counts) <= rank and set(counts) <= {1}


def _unpadded(node: Node) -> None:
    pads = ops.pads(node)
    if pads is None or any(pads):
        raise Mismatch(f"pads by {pads}, every pad must be 0", node)


def _whole(node: Node) -> None:
    """Hold a Slice against "every element, in order"."""
    starts, ends = ops.ints(node, "starts", 1), ops.ints(node, "ends", 2)
    steps = [1] if node.input(4) is None else ops.ints(node, "steps", 4)
    if steps is None or set(steps) != {1}:
        raise Mismatch(f"has steps {steps}, every step must be 1", node)
    if starts is not None and ends is not None and not any(starts) and min(ends, default=END) >= END:
        return
    same_shape(node.inputs[0], node)


@dataclass(frozen=True)
class Pair:
    """Two nodes of which the second may read what the first does; ``perm`` or ``shape`` is then its new parameter."""

    node: Node
    source: Tensor
    numbers: tuple[int, ...]


class MoveOnes(Rule[Pair]):
    """``Transpose(x) -> Reshape(x)`` where only axes of size 1 change their place, so that no element moves."""

    name, roots = "move-ones", frozenset({"Transpose"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Pair | Mismatch:
        """The other axes keep their order; next to a Transpose it is left alone, so that the two are merged."""
        before, order = need.static(node.inputs[0], node), ops.permutation(node)
        wide = [axis for axis in order or () if before[axis] != 1]
        if wide != sorted(wide):
            return Mismatch(f"axes {wide} of {dims(before)} change their order, only those of size 1 may", node)
        source = node.inputs[0].producer
        if any(n.op == "Transpose" for n in (*node.outputs[0].consumers, *([source] if source else []))):
            return Mismatch("it stands next to a Transpose", node)
        return Pair(node, node.inputs[0], need.static(node.outputs[0], node))

    def rewrite(self, match: Pair, rw: Rewriter) -> None:
        """The same elements in another shape."""
        rw.replace(match.node, build.reshape(rw, match.source, match.numbers))


class MergeTransposes(Rule[Pair]):
    """``Transpose(x) -> x`` and ``Transpose(Transpose(x)) -> x`` when axes end where they were, else one Transpose."""

    name, roots = "merge-transposes", frozenset({"Transpose"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Pair | Mismatch:
        """Two that do not cancel are merged only when nothing else reads what is between them."""
        outer = ops.permutation(node)
        if outer is None:
            return Mismatch("its rank must be known", node)
        if outer == sorted(outer):
            return Pair(node, node.inputs[0], tuple(outer))
        inner = need.producer(node, 0, "Transpose")
        first = ops.permutation(inner)
        if first is None:
            return Mismatch(f"the rank of {inner.name!r} must be known", node)
        perm = tuple(first[p] for p in outer)
        if list(perm) != sorted(perm):
            need.sole_reader(node.inputs[0], node, ctx)
        return Pair(node, inner.inputs[0], perm)

    def rewrite(self, match: Pair, rw: Rewriter) -> None:
        """Bypass both, or let the second do the work of both."""
        if list(match.numbers) == sorted(match.numbers):
            rw.replace(match.node, match.source)
        else:
            rw.set_attr(match.node, "perm", list(match.numbers))
            rw.set_input(match.node, 0, match.source)


class UndoAxes(Drop):
    """``Squeeze(Unsqueeze(x)) -> x`` and ``Unsqueeze(Squeeze(x)) -> x`` of the same axes."""

    name, roots = "undo-axes", frozenset({"Squeeze", "Unsqueeze"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """What the first of the two reads."""
        inner = need.producer(node, 0, "Squeeze" if node.op == "Unsqueeze" else "Unsqueeze")
        axes, undone = ops.axes(node), ops.axes(inner)
        if axes is None or undone is None or sorted(axes) != sorted(undone) or min(axes + undone) < 0:
            raise Mismatch(f"axes {axes} after axes {undone}, they must be the same", node)
        return inner.inputs[0]


class MergeReshapes(Rule[Pair]):
    """``Reshape(Reshape(x)) -> Reshape(x)``; Flatten, Squeeze or Unsqueeze in place of the first, too."""

    name, roots = "merge-reshapes", frozenset({"Reshape"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Pair | Mismatch:
        """The shape has to be constant, and to say everything without looking at the shape of its input."""
        inner = need.producer(node, 0, *sorted(FORMS))
        need.sole_reader(node.inputs[0], node, ctx)
        return Pair(node, inner.inputs[0], _target(node))

    def rewrite(self, match: Pair, rw: Rewriter) -> None:
        """Read what the first of the two reads."""
        if tuple(ops.ints(match.node, "shape", 1) or ()) != match.numbers:
            rw.set_input(match.node, 1, rw.ints(match.numbers))
        rw.set_input(match.node, 0, match.source)


def _target(node: Node) -> tuple[int, ...]:
    """The shape that a Reshape asks for, its zeros replaced by the dims they stand for."""
    if not isinstance(node.input(1), Constant):
        raise Mismatch("its shape must be constant", node)
    shape = tuple(ops.ints(node, "shape", 1) or ())
    out = node.outputs[0].shape
    if 0 not in shape:
        return shape
    if out is None or node.attrs.get("allowzero", 0) or not all(isinstance(d, int) and d > 0 for d in out):
        raise Mismatch(f"its shape {list(shape)} has zeros, so that of its output ({dims(out)}) must be known", node)
    return tuple(d for d in out if isinstance(d, int))
