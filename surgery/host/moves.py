"""Operators that only move data: in C++ each is a few strided copies, or no work at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from surgery.host.emitter import Emitter
from surgery.host.loops import loop, spread
from surgery.host.step import Sizes, Slot, Step


class Copy(NamedTuple):
    """A strided copy over ``shape``: the start and strides on both sides."""

    source: Slot
    target: Slot
    shape: Sizes
    read: Sizes
    write: Sizes
    read_from: int = 0
    write_from: int = 0

    def cpp(self) -> list[str]:
        """The copy as C++."""
        body = f"{self.target.id}[at[1]] = {self.source.id}[at[0]];"
        return loop(self.shape, [self.read, self.write], body, (self.read_from, self.write_from))


def moving(python: Callable[[Step], str], copies: Callable[[Step], Sequence[Copy]]) -> Emitter:
    """The emitter of an operator that is a numpy expression, and copies."""
    return Emitter(
        lambda step: [f"{step.y.id} = {python(step)}"],
        lambda step: [line for copy in copies(step) for line in copy.cpp()],
        moves=True,
    )


def _reshaped(step: Step) -> list[str]:
    return [f"{step.y.id} = {step.x.id}.reshape({step.y.shape})"]


RESHAPED = Emitter(_reshaped, lambda _: [], moves=True, aliases=True)
"""The same memory in another shape."""


def _permutation(step: Step) -> Sizes:
    rank = len(step.x.shape)
    return tuple(int(axis) % rank for axis in step.node.attrs.get("perm") or range(rank)[::-1])


def _transpose(step: Step) -> list[Copy]:
    read = tuple(step.x.strides[axis] for axis in _permutation(step))
    return [Copy(step.x, step.y, step.y.shape, read, step.y.strides)]


def slices(step: Step) -> list[slice]:
    """What a Slice takes along each axis, as Python's own slices, bounds settled."""
    given = _slice_arguments(step)
    rank = len(step.x.shape)
    taken = [slice(0, size, 1) for size in step.x.shape]
    for start, end, axis, stride in zip(*given, strict=True):
        size = step.x.shape[axis % rank]
        first, last, by = slice(start, end, stride).indices(size)
        taken[axis % rank] = slice(first, None if last < 0 else last, by)
    return taken


def _slice_arguments(step: Step) -> list[list[int]]:
    """Starts, ends, axes and steps: attributes before opset 10, then constant inputs."""
    attrs = step.node.attrs
    if "starts" in attrs:
        starts, ends = list(attrs["starts"]), list(attrs["ends"])
        return [starts, ends, list(attrs.get("axes", range(len(starts)))), [1] * len(starts)]
    starts, ends = (step.constant(index).tolist() for index in (1, 2))
    axes = step.constant(3).tolist() if step.given(3) else list(range(len(starts)))
    return [starts, ends, axes, step.constant(4).tolist() if step.given(4) else [1] * len(starts)]


def _slice_text(step: Step) -> str:
    parts = (f"{s.start}:{'' if s.stop is None else s.stop}:{s.step}" for s in slices(step))
    return f"{step.x.id}[{', '.join(parts)}]"


def _slice(step: Step) -> list[Copy]:
    x, taken = step.x, slices(step)
    first = sum(s.start * stride for s, stride in zip(taken, x.strides, strict=True))
    read = tuple(s.step * stride for s, stride in zip(taken, x.strides, strict=True))
    return [Copy(x, step.y, step.y.shape, read, step.y.strides, first)]


def _concat(step: Step) -> list[Copy]:
    axis, place, copies = step.axis(0), 0, []
    for slot in filter(None, step.ins):
        copies.append(Copy(slot, step.y, slot.shape, slot.strides, step.y.strides, 0, place))
        place += slot.shape[axis] * step.y.strides[axis]
    return copies


def _concat_text(step: Step) -> str:
    return f"np.concatenate([{', '.join(slot.id for slot in step.ins if slot)}], axis={step.axis(0)})"


def _parts(step: Step) -> list[Slot]:
    return [slot or step.refuse("an output is left out, all must be there") for slot in step.outs]


def _split(step: Step) -> list[Copy]:
    axis, place, copies = step.axis(0), 0, []
    for slot in _parts(step):
        copies.append(Copy(step.x, slot, slot.shape, step.x.strides, slot.strides, place))
        place += slot.shape[axis] * step.x.strides[axis]
    return copies


def _split_text(step: Step) -> list[str]:
    axis, place, lines = step.axis(0), 0, []
    for slot in _parts(step):
        before = ":, " * axis
        lines.append(f"{slot.id} = {step.x.id}[{before}{place}:{place + slot.shape[axis]}]")
        place += slot.shape[axis]
    return lines


def _expand(step: Step) -> list[Copy]:
    return [Copy(step.x, step.y, step.y.shape, spread(step.x.shape, step.y.shape), step.y.strides)]


def _tile(step: Step) -> list[Copy]:
    """Along each axis a walk over the repeats, which does not move in the input, then one over the input."""
    repeats = [y // x for x, y in zip(step.x.shape, step.y.shape, strict=True)]
    pairs = list(zip(repeats, step.x.shape, strict=True))
    shape = tuple(size for pair in pairs for size in pair)
    read = tuple(s for stride in step.x.strides for s in (0, stride))
    write = tuple(s for stride, size in zip(step.y.strides, step.x.shape, strict=True) for s in (stride * size, stride))
    return [Copy(step.x, step.y, shape, read, write)]


def _tile_text(step: Step) -> str:
    return f"np.tile({step.x.id}, {tuple(y // x for x, y in zip(step.x.shape, step.y.shape, strict=True))})"


def _blocks(step: Step) -> tuple[Sizes, Sizes]:
    """DepthToSpace and SpaceToDepth as a reshape of the input, then this permutation."""
    n, c, h, w = step.x.shape
    block = int(step.node.attrs["blocksize"])
    if step.node.op == "SpaceToDepth":
        return (n, c, h // block, block, w // block, block), (0, 3, 5, 1, 2, 4)
    depth = c // block**2
    if step.node.attrs.get("mode", "DCR") == "CRD":
        return (n, depth, block, block, h, w), (0, 1, 4, 2, 5, 3)
    return (n, block, block, depth, h, w), (0, 3, 4, 1, 5, 2)


def _rearranged(step: Step) -> list[Copy]:
    shape, order = _blocks(step)
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(6))
    out = tuple(shape[axis] for axis in order)
    write = tuple(prod(out[axis + 1 :]) for axis in range(6))
    return [Copy(step.x, step.y, out, tuple(strides[axis] for axis in order), write)]


def _rearranged_text(step: Step) -> str:
    shape, order = _blocks(step)
    return f"{step.x.id}.reshape({shape}).transpose({order}).reshape({step.y.shape})"


_AS_IS = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")

MOVES: Mapping[str, Emitter] = {
    **dict.fromkeys(_AS_IS, RESHAPED),
    "Concat": moving(_concat_text, _concat),
    "DepthToSpace": moving(_rearranged_text, _rearranged),
    "Expand": moving(lambda step: f"np.broadcast_to({step.x.id}, {step.y.shape})", _expand),
    "Slice": moving(_slice_text, _slice),
    "SpaceToDepth": moving(_rearranged_text, _rearranged),
    "Split": Emitter(_split_text, lambda step: [line for copy in _split(step) for line in copy.cpp()], moves=True),
    "Tile": moving(_tile_text, _tile),
    "Transpose": moving(lambda step: f"np.transpose({step.x.id}, {_permutation(step)})", _transpose),
}
"""Emitters of what changes no value."""
