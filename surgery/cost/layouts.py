"""How much it takes to move elements about: rows joined, parted and turned, channels joined, told apart and cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from surgery.cost import work
from surgery.cost.kinds import OF_WINDOWS, Kind, kinds
from surgery.cost.links import feeder
from surgery.cost.terms import Term
from surgery.ir.graph import Node, Tensor
from surgery.ir.ops import permutation

if TYPE_CHECKING:
    from surgery.cost.coefficients import Alignment

Parts: TypeAlias = "Iterator[tuple[Term, float]]"
_AT_ONCE = 1 << 16
_MAP = 4
_RUN = 64
"""Places of a row that are put in their place at once."""


def all_written(term: Term, node: Node, align: Alignment) -> Parts:
    """MB of what a node writes."""
    yield term, sum(work.padded(t, align) for t in node.outputs if t.name) * 1e-6


def in_lanes(tensor: Tensor, align: Alignment) -> float:
    """MB of a tensor whose rows are rounded up to the lane."""
    shape = work.dims(tensor)
    return prod(shape[:-1]) * work.up(shape[-1] if shape else 1, align.lane) * 1e-6


def _joined(node: Node, align: Alignment) -> Parts:
    yield Term.JOIN, in_lanes(node.inputs[0], align)


def _flattened(node: Node, _: Alignment) -> Parts:
    yield Term.FLATTEN, work.elements(node.outputs[0]) * 1e-6


def _parted(node: Node, _: Alignment) -> Parts:
    """Heads lie side by side, as channels do, and are cut at once; those of a product one by one."""
    shape, made = work.dims(node.outputs[0]), feeder(node.inputs[0], alone=False)
    before = work.dims(node.inputs[0])
    heads = 1 if made is None or made.op == "MatMul" or len(before) < _MAP else max(1, before[-3])
    yield Term.PART, prod(shape) / heads * 1e-6
    yield Term.PART_ROWS, prod(shape[:-1]) / heads * 1e-6


def _laid_apart(node: Node, _: Alignment) -> Parts:
    size = work.elements(node.outputs[0])
    yield Term.APART, size * 1e-6
    if size > _AT_ONCE:
        yield Term.APART_LARGE, size * 1e-6


def _cut_into_heads(node: Node, align: Alignment) -> Parts:
    yield Term.HEADS, in_lanes(node.outputs[0], align)


def _cut(node: Node, align: Alignment) -> Parts:
    yield from all_written(Term.CUT, node, align)
    before, after = work.dims(node.inputs[0]), node.outputs[0]
    if work.dims(after)[1] % align.in_channels:
        yield Term.CUT_ODD, _runs(after)
    read, written = align.channels(point=True)
    channels = work.up(before[1], read) * work.up(work.dims(after)[1], written)
    yield Term.CUT_CONVOLVED, before[0] * prod(work.places(after, align)) * channels * 1e-9


def _joined_up(node: Node, align: Alignment) -> Parts:
    """Channels that do not begin at a multiple are put in their places one by one, or by a convolution."""
    yield from all_written(Term.CONCAT, node, align)
    if node.op == "Concat" and are_odd(node, node.inputs, align):
        yield Term.CONCAT_ODD, _runs(node.outputs[0])
        yield Term.CUT_CONVOLVED, _all_by_all(node.outputs[0], align)


def _told_apart(node: Node, align: Alignment) -> Parts:
    """Odd channels, too; those that products of all channels alone read are picked by these."""
    yield from all_written(Term.SPLIT, node, align)
    if are_odd(node, node.outputs, align):
        yield Term.SPLIT_ODD, _runs(node.inputs[0])
        readers = (reader for part in node.outputs for reader in part.outputs)
        if not all(Kind.DENSE in kinds(reader) for reader in readers):
            yield Term.CUT_CONVOLVED, _all_by_all(node.inputs[0], align)


def are_odd(node: Node, parts: Sequence[Tensor], align: Alignment) -> bool:
    """Whether a part of a map's channels begins between two multiples."""
    shapes = [work.dims(part) for part in parts if part.name]
    if any(len(shape) != _MAP for shape in shapes) or node.attrs.get("axis", 0) not in (1, 1 - _MAP):
        return False
    return any(shape[1] % align.in_channels for shape in shapes[:-1])


def _runs(tensor: Tensor) -> float:
    """Thousands of rows of a map, of all channels and of up to 64 places."""
    *others, width = work.dims(tensor)
    return prod(others) * -(-width // _RUN) * 1e-3


def _all_by_all(tensor: Tensor, align: Alignment) -> float:
    """The multiply-accumulates of a 1x1 convolution of all channels of a map, in thousands of millions."""
    batch, channels = work.dims(tensor)[:2]
    return batch * prod(work.places(tensor, align)) * channels**2 * 1e-9


def _turned(node: Node, align: Alignment) -> Parts:
    if len(work.dims(node.outputs[0])) > _MAP:
        yield Term.TURN_PARTED, work.elements(node.outputs[0]) * 1e-6
        yield Term.TURN_CALL, 1.0
    else:
        yield Term.TURN, in_lanes(node.outputs[0], align)


def _scattered(node: Node, align: Alignment) -> Parts:
    """Windows of a map row by row, those of each channel where it lies channels first; joined to rows, run by run."""
    yield from all_written(Term.SCATTER, node, align)
    shape, perm = work.dims(node.inputs[0]), permutation(node)
    if len(shape) != OF_WINDOWS or perm is None:
        return
    if perm[-1] == 1:
        yield Term.SCATTER_ROWS, prod(shape[:-1]) * 1e-6
    elif perm[-1] == len(shape) - 1:
        joined = perm[-2] < len(shape) - 3
        yield Term.SCATTER_RUNS if joined else Term.SCATTER_ROWS, prod(shape[: -1 if joined else -2]) * 1e-6


def _moved(node: Node, align: Alignment) -> Parts:
    yield Term.MOVE, in_lanes(node.outputs[0], align)


LAYOUTS: Mapping[Kind, Callable[[Node, Alignment], Parts]] = {
    Kind.JOIN: _joined,
    Kind.FLATTEN: _flattened,
    Kind.PART: _parted,
    Kind.APART: _laid_apart,
    Kind.HEADS: _cut_into_heads,
    Kind.CONCAT: _joined_up,
    Kind.SPLIT: _told_apart,
    Kind.CUT: _cut,
    Kind.MOVE: _moved,
    Kind.SCATTER: _scattered,
    Kind.TURN: _turned,
}
"""How to measure the work of a kind."""
