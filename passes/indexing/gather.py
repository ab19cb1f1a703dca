"""Gathers by constant indices."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from passes.indexing.runs import Run, runs, taken
from surgery.ir import Node, Tensor, Value, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

Indices: TypeAlias = "np.ndarray[Any, np.dtype[np.integer[Any]]]"
MOVES = frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Slice", "Split", "Gather", "Identity"}
)
"""What only moves elements, and behind the last computation runs on the CPU."""
MOST = 8
"""Slices that stand for one Gather at most; sixteen take as long as the Gather itself, or longer."""
FAR = 64
"""Values behind a Gather that are looked at."""


@dataclass(frozen=True)
class Picked:
    """A Gather of ``parts`` of one axis, which a single index takes away (``drops``)."""

    node: Node
    x: Tensor
    axis: int
    parts: tuple[Run, ...]
    drops: bool


class GatherAsSlice(Rule[Picked]):
    """``Gather(x, [4, 5, 6]) -> Slice(x, 4:7)`` for indices of equal, positive steps.

    The witness at O2 on bayes-e, 64x28x28: half of the channels between convolutions 110 us as a Gather and 63 as a
    Slice, before the first one 105 and 51. Behind the last one a Gather stays on the BPU, and a Slice does not.
    """

    name, roots = "gather-as-slice", frozenset({"Gather"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Picked | Mismatch:
        """One run of indices, of a value that is computed with."""
        found = _picked(node, 1, ctx)
        if not _is_computed_with(node.outputs[0]):
            return Mismatch("nothing computes with what it gives, behind the last computation it stays", node)
        return found

    def rewrite(self, match: Picked, rw: Rewriter) -> None:
        """Slices, joined."""
        value = taken(rw, match.x, match.axis, match.parts)
        rw.replace(match.node, build.squeeze(rw, value, [match.axis]) if match.drops else value)


class GatherAsSlices(GatherAsSlice):
    """``Gather(x, [4, 5, 6, 0, 1]) -> Concat(Slice(x, 4:7), Slice(x, 0:2))`` where the march has no kernel for it.

    The witness at O2 on bernoulli2, eight runs of the channels of 64x28x28 between convolutions: 484 us in two
    segments with the Gather on the CPU, 454 in one.
    """

    name, purpose = "gather-as-slices", Purpose.LEGALISE
    cures = frozenset({"Gather.device", "Gather.ranks", "Gather.log", "Gather.unlisted"})

    def match(self, node: Node, ctx: Context) -> Picked | Mismatch:
        """Eight runs of indices at most."""
        return _picked(node, MOST, ctx)


def _picked(node: Node, most: int, ctx: Context) -> Picked:
    """Floats that are computed; constant indices, one or a list of them, in at most ``most`` runs."""
    x = need.value(node.inputs[0], node)
    need.dtype(x, node)
    need.rank(x, node)
    indices, axis = need.constant(node, 1), ops.axis(node, 0)
    if indices.ndim > 1 or indices.size == 0:
        raise Mismatch(f"the indices are {indices.size} of rank {indices.ndim}, they must be one or a list", node)
    parts = tuple(runs(_from_front(indices.reshape(-1), (x.shape or ())[axis], node)))
    if len(parts) > most:
        raise Mismatch(f"the indices are {len(parts)} runs of equal steps, at most {most} may be slices", node)
    if ctx.opset < 10 and any(run.step > 1 for run in parts):
        raise Mismatch(f"opset {ctx.opset} slices with step 1 only", node)
    return Picked(node, x, axis, parts, indices.ndim == 0)


def _is_computed_with(value: Value) -> bool:
    """Whether a reader of ``value`` does more than move it, as far as :data:`FAR` values tell."""
    ahead, seen = [value], {value}
    while ahead and len(seen) < FAR:
        readers = ahead.pop().consumers
        if any(reader.op not in MOVES for reader in readers):
            return True
        fresh = {out for reader in readers for out in reader.outputs} - seen
        seen |= fresh
        ahead += fresh
    return False


def _from_front(indices: Indices, size: object, node: Node) -> list[int]:
    """``indices`` with those that count from the end counted from the front."""
    if not isinstance(size, int):
        if indices.min() < 0:
            raise Mismatch(
                f"index {indices.min()} counts from the end of an axis of size {size}, it must be known", node
            )
        return [int(i) for i in indices]
    if indices.min() < -size or indices.max() >= size:
        raise Mismatch(f"indices {indices.min()} to {indices.max()} leave an axis of size {size}", node)
    return [int(i) % size for i in indices]


@dataclass(frozen=True)
class Points:
    """A GatherND as a Gather: ``rows`` of axis ``axis`` of x in the shape ``before``; what comes out has ``after``."""

    node: Node
    before: tuple[int, ...]
    axis: int
    rows: tuple[int, ...]
    after: tuple[int, ...]


class GatherNDAsGather(Rule[Points]):
    """``GatherND(x, indices) -> Gather(x, rows)`` for constant indices, the indexed axes of x made one before.

    Axes of size 1 in front stay where they are, so that a selection of channels needs no Reshape. Few runs of equal
    steps become slices at once.
    """

    name, roots = "gather-nd-as-gather", frozenset({"GatherND"})
    purpose, exactness = Purpose.LEGALISE, Exactness.EXACT
    cures = frozenset({"GatherND.device", "GatherND.log", "GatherND.unlisted"})

    def match(self, node: Node, ctx: Context) -> Points:
        """A computed value of known shape, no batch axes."""
        x = need.value(node.inputs[0], node)
        shape, indices = need.static(x, node), need.constant(node, 1)
        if batch := ops.attr(node, "batch_dims", 0):
            raise Mismatch(f"batch_dims is {batch}, it must be 0", node)
        if not indices.size:
            raise Mismatch("there are no indices, one at least must be given", node)
        depth = indices.shape[-1]
        axis = next((i for i in range(depth - 1) if shape[i] != 1), depth - 1)
        places = [_from_front(indices[..., i].reshape(-1), shape[i], node) for i in range(depth)]
        rows = np.ravel_multi_index(places, shape[:depth]).tolist()
        before = (*shape[:axis], prod(shape[axis:depth]), *shape[depth:])
        return Points(node, before, axis, tuple(rows), (*indices.shape[:-1], *shape[depth:]))

    def rewrite(self, match: Points, rw: Rewriter) -> None:
        """A Gather or slices, between Reshapes where it needs them."""
        x = match.node.inputs[0]
        flat = x if x.shape == match.before else build.reshape(rw, x, match.before)
        value = _selected(rw, flat, match)
        rw.replace(match.node, value if value.shape == match.after else build.reshape(rw, value, match.after))


def _selected(rw: Rewriter, x: Tensor, match: Points) -> Tensor:
    parts = runs(match.rows)
    if len(parts) <= MOST and (rw.opset >= 10 or all(run.step == 1 for run in parts)):
        return taken(rw, x, match.axis, parts)
    return rw.op("Gather", x, rw.ints(match.rows), axis=match.axis)
