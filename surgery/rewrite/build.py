"""Operators whose parameters moved between attributes and inputs, written in the model's opset.

Each function makes one node through a :class:`~surgery.rewrite.rewriter.Rewriter` and returns its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from surgery.ir import Node, Tensor, Value
from surgery.rewrite.rewriter import Rewriter

AXES_AS_INPUT = {"Squeeze": 13, "Unsqueeze": 13, "ReduceSum": 13}
"""Opset from which axes are an input; every other reduction moved at 18."""

OF_ONE = frozenset({"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"})
"""Reductions of one number that give the number."""


def reduce(rw: Rewriter, op: str, x: Tensor, axes: Sequence[int], *, keepdims: bool = True) -> Tensor:
    """A reduction of ``x`` over ``axes``; ``x`` itself where these keep their size of 1, so that nothing is reduced."""
    if keepdims and op in OF_ONE and x.shape is not None and axes and all(x.shape[a] == 1 for a in axes):
        return x
    return _with_axes(rw, op, x, axes, AXES_AS_INPUT.get(op, 18), keepdims=int(keepdims))


def squeeze(rw: Rewriter, x: Tensor, axes: Sequence[int]) -> Value:
    """``x`` without the axes ``axes``, which are of size 1."""
    return _with_axes(rw, "Squeeze", x, axes, 13)


def unsqueeze(rw: Rewriter, x: Tensor, axes: Sequence[int]) -> Value:
    """``x`` with new axes of size 1; ``axes`` count in the result."""
    return _with_axes(rw, "Unsqueeze", x, axes, 13)


def _with_axes(rw: Rewriter, op: str, x: Tensor, axes: Sequence[int], since: int, **attrs: Any) -> Value:
    if rw.opset >= since:
        return rw.op(op, x, rw.ints(axes), **attrs)
    return rw.op(op, x, axes=list(axes), **attrs)


def clip(rw: Rewriter, x: Tensor, low: float | None, high: float | None, heir: Node | None = None) -> Value:
    """``x`` limited to ``low`` and ``high``; None leaves a side open."""
    if rw.opset < 11:
        return rw.op("Clip", x, min=low, max=high, heir=heir)
    bounds = [None if v is None else rw.constant(v, like=x) for v in (low, high)]
    while bounds and bounds[-1] is None:
        bounds.pop()
    return rw.op("Clip", x, *bounds, heir=heir)


def reshape(rw: Rewriter, x: Tensor, shape: Sequence[int]) -> Value:
    """``x`` in another shape, in which one dim may be -1 and a 0 keeps the dim of ``x``."""
    return rw.op("Reshape", x, rw.ints(shape))


def transpose(rw: Rewriter, x: Tensor, perm: Sequence[int]) -> Value:
    """``x`` with its axes in the order ``perm``."""
    return rw.op("Transpose", x, perm=list(perm))


def concat(rw: Rewriter, parts: Sequence[Tensor], axis: int, heir: Node | None = None) -> Tensor:
    """``parts`` one after the other along ``axis``; a single part as it is."""
    if len(parts) == 1:
        return parts[0]
    return rw.op("Concat", *parts, axis=axis, heir=heir)


def slice_(
    rw: Rewriter,
    x: Tensor,
    axes: Sequence[int],
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int] | None = None,
) -> Value:
    """``x`` between ``starts`` and ``ends`` along ``axes``; ``steps`` other than 1 need opset 10."""
    if rw.opset < 10:
        return rw.op("Slice", x, axes=list(axes), starts=list(starts), ends=list(ends))
    strided = steps is not None and set(steps) != {1}
    return rw.op("Slice", x, rw.ints(starts), rw.ints(ends), rw.ints(axes), rw.ints(steps or []) if strided else None)


def split(rw: Rewriter, x: Tensor, sizes: Sequence[int], axis: int) -> list[Tensor]:
    """``x`` in parts of ``sizes`` along ``axis``; a single part is ``x`` itself."""
    if len(sizes) == 1:
        return [x]
    if rw.opset >= 13:
        return list(rw.multi("Split", x, rw.ints(sizes), axis=axis, outputs=len(sizes)))
    return list(rw.multi("Split", x, axis=axis, split=list(sizes), outputs=len(sizes)))


def pad(rw: Rewriter, x: Tensor, pads: Sequence[int], value: float = 0.0) -> Value:
    """``x`` padded by ``pads`` (begins, then ends, of every axis) with a constant; negative pads crop."""
    if rw.opset < 11:
        return rw.op("Pad", x, pads=list(pads), value=float(value), mode="constant")
    return rw.op("Pad", x, rw.ints(pads), rw.constant(np.asarray(value), like=x), mode="constant")
