"""Indices as runs of equal steps, each of which one Slice takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surgery.ir import Tensor
from surgery.rewrite import Rewriter, build


@dataclass(frozen=True)
class Run:
    """``count`` indices from ``start`` on, ``step`` apart."""

    start: int
    count: int
    step: int = 1

    @property
    def stop(self) -> int:
        """One past the last index."""
        return self.start + (self.count - 1) * self.step + 1


def runs(indices: Sequence[int]) -> list[Run]:
    """``indices`` cut, from the front, into the longest runs of a positive step.

    >>> runs([4, 5, 6, 0, 2, 1])
    [Run(start=4, count=3, step=1), Run(start=0, count=2, step=2), Run(start=1, count=1, step=1)]
    """
    found: list[Run] = []
    for index in indices:
        last = found[-1] if found else None
        step = index - (last.stop - 1) if last else 0
        if last and step > 0 and (last.count == 1 or step == last.step):
            found[-1] = Run(last.start, last.count + 1, step)
        else:
            found.append(Run(index, 1))
    return found


def taken(rw: Rewriter, x: Tensor, axis: int, parts: Sequence[Run]) -> Tensor:
    """``parts`` of ``axis`` of ``x``, one after the other."""
    return build.concat(rw, [_slice(rw, x, axis, run) for run in parts], axis)


def _slice(rw: Rewriter, x: Tensor, axis: int, run: Run) -> Tensor:
    if run.step == 1 and (run.start, run.stop) == (0, (x.shape or ())[axis]):
        return x
    return build.slice_(rw, x, [axis], [run.start], [run.stop], [run.step])
