"""How a layer over a limit is cut: plain arithmetic on channel counts, no graph in sight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

MOST_PARTS = 64
"""Products that one layer may become; a layer that needs more is no matter of a channel limit."""


@dataclass(frozen=True)
class Work:
    """A layer as planning sees it: ``groups`` products of ``inputs`` by ``outputs`` channels each."""

    groups: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Piece:
    """One of the smaller products: ``groups`` groups from ``group`` on, and the channels taken within each."""

    group: int
    groups: int
    inputs: range
    outputs: range

    @property
    def work(self) -> Work:
        """Its own size."""
        return Work(self.groups, len(self.inputs), len(self.outputs))


@dataclass(frozen=True)
class Plan:
    """Sizes of the parts: groups per part, and channels per part of the inputs and outputs of each group.

    A part of several groups holds them whole, so ``inputs`` and ``outputs`` have one size each unless every part
    is a single group.
    """

    groups: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __str__(self) -> str:
        """The parts that are more than one, by what is cut: ``inputs 2 x 24, outputs 33 + 32``."""
        named = {"groups": self.groups, "inputs": self.inputs, "outputs": self.outputs}
        cut = {name: sizes for name, sizes in named.items() if len(sizes) > 1}
        return ", ".join(f"{name} {_summed(sizes)}" for name, sizes in cut.items())

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Channels of the parts in which the layer's input is read, in order."""
        return tuple(groups * size for groups in self.groups for size in self.inputs)

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Channels of the parts in which the layer's output is computed, in order."""
        return tuple(groups * size for groups in self.groups for size in self.outputs)

    @property
    def nodes(self) -> int:
        """Nodes that it takes: products, additions, one split and one concatenation."""
        rows = len(self.groups) * len(self.outputs)
        columns = len(self.groups) * len(self.inputs)
        return rows * (2 * len(self.inputs) - 1) + (rows > 1) + (columns > 1)

    def rows(self) -> Iterator[tuple[Piece, ...]]:
        """For every part of the output, the pieces whose results add up to it."""
        for first, groups in zip(_starts(self.groups), self.groups, strict=True):
            for outputs in _ranges(self.outputs):
                yield tuple(Piece(first, groups, inputs, outputs) for inputs in _ranges(self.inputs))

    def work(self, steps: tuple[int, int]) -> int:
        """Products of channels once those of every piece are filled up to the march's ``steps`` (in, out)."""
        return sum(
            piece.groups * _up(len(piece.inputs), steps[0]) * _up(len(piece.outputs), steps[1])
            for row in self.rows()
            for piece in row
        )

    def distinct(self) -> set[Work]:
        """The sizes that occur among its pieces."""
        return {Work(g, i, o) for g in set(self.groups) for i in set(self.inputs) for o in set(self.outputs)}


def balanced(total: int, parts: int, step: int = 1) -> tuple[int, ...]:
    """``total`` in ``parts`` sizes that differ by one ``step`` at most, all but the last multiples of it.

    Where there are fewer steps than parts, the sizes differ by one.

    >>> balanced(4608, 3, 16), balanced(100, 3, 16), balanced(5, 3, 16)
    ((1536, 1536, 1536), (48, 32, 20), (2, 2, 1))
    """
    units = -(-total // step)
    if units < parts:
        step, units = 1, total
    base, extra = divmod(units, parts)
    sizes = [step * (base + (index < extra)) for index in range(parts)]
    return (*sizes[:-1], total - sum(sizes[:-1]))


def plans(work: Work, steps: tuple[int, int] = (1, 1)) -> list[Plan]:
    """Every way to cut a layer into at most :data:`MOST_PARTS` products: fewest nodes first, then least waste."""
    return _ranked(_cuts(work, steps), steps)


def plans_for(work: Work, sizes: Sequence[int], steps: tuple[int, int] = (1, 1)) -> list[Plan]:
    """The ways to read an input that comes in parts of ``sizes`` channels already; none where they tear a group.

    A part holds groups whole, or every group is in the same parts.
    """
    chunk, found = _chunk(work, sizes), list[Plan]()
    if chunk:
        room = MOST_PARTS // len(sizes)
        counts = range(1, 1 + min(work.outputs, room))
        found += [Plan((1,) * work.groups, chunk, out) for n in counts for out in _sizes(work.outputs, n, steps[1])]
    elif all(size % work.inputs == 0 for size in sizes):
        found += [Plan(tuple(size // work.inputs for size in sizes), (work.inputs,), (work.outputs,))]
    return _ranked(found, steps)


def _chunk(work: Work, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes that make up every single group, in the same way; empty when they do not."""
    chunk = tuple(sizes[: len(sizes) // work.groups])
    return chunk if sum(chunk) == work.inputs and chunk * work.groups == tuple(sizes) else ()


def _cuts(work: Work, steps: tuple[int, int]) -> Iterator[Plan]:
    """Cuts between groups first; inside of a group only when every group stands alone."""
    for count in range(2, 1 + min(work.groups, MOST_PARTS)):
        for groups in _sizes(work.groups, count, _group_step(work, steps)):
            yield Plan(groups, (work.inputs,), (work.outputs,))
    room = MOST_PARTS // work.groups
    for inputs in range(1, 1 + min(work.inputs, room)):
        for outputs in range(1, 1 + min(work.outputs, room // inputs)):
            if inputs * outputs > 1:
                ins, outs = _sizes(work.inputs, inputs, steps[0]), _sizes(work.outputs, outputs, steps[1])
                yield from (Plan((1,) * work.groups, i, o) for i in ins for o in outs)


def _sizes(total: int, parts: int, step: int) -> list[tuple[int, ...]]:
    """Sizes on the march's step; and as equal as can be, which may suit the groups of what comes next."""
    return list(dict.fromkeys((balanced(total, parts, step), balanced(total, parts))))


def _group_step(work: Work, steps: tuple[int, int]) -> int:
    """Groups whose outputs together are a multiple of the step; what matters for depthwise layers."""
    return max(1, steps[1] // work.outputs) if steps[1] % work.outputs == 0 else 1


def _ranked(found: Iterable[Plan], steps: tuple[int, int]) -> list[Plan]:
    return sorted(dict.fromkeys(found), key=lambda plan: (plan.nodes, plan.work(steps)))


def _summed(sizes: Sequence[int]) -> str:
    """``a + b``, runs of equal sizes as ``n x a``."""
    runs = ((size, len(list(equal))) for size, equal in groupby(sizes))
    return " + ".join(f"{count} x {size}" if count > 1 else str(size) for size, count in runs)


def _starts(sizes: Sequence[int]) -> Iterator[int]:
    return accumulate(sizes[:-1], initial=0)


def _ranges(sizes: Sequence[int]) -> Iterator[range]:
    return (range(start, start + size) for start, size in zip(_starts(sizes), sizes, strict=True))


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
