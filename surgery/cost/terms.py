"""What the time of a layer on the BPU is made of: terms, each an amount of work times the march's rate for it.

A march has a rate for every term that was measured on it; for the others stands what :data:`INSTEAD` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from surgery.cost import work
from surgery.cost.edges import Edge
from surgery.cost.kinds import Kind, is_behind_convolution
from surgery.cost.links import features, feeder, filters
from surgery.ir.graph import Node, Tensor

if TYPE_CHECKING:
    from surgery.cost.coefficients import Alignment


class Term(StrEnum):
    """GMAC for the engines of convolutions, thousands or single ones where said, MB of int8 elements for the rest."""

    DENSE = "dense"
    """Convolutions, and products with weights, of stride 1, sizes rounded up as the engine does."""
    DENSE_STRIDED = "dense_strided"
    STEM_AREA = "stem_area"
    """Places of an input of few channels, in millions."""
    STEM_TAPS = "stem_taps"
    """The same times the kernel's width."""
    TRANSPOSED = "transposed"
    DEPTHWISE = "depthwise"
    """One channel per group, over the places and what the kernel sees beyond them."""
    DEPTHWISE_LARGE = "depthwise_large"
    """The same with a side of the kernel of more than five."""
    DEPTHWISE_STRIDED = "depthwise_strided"
    DEPTHWISE_READ = "depthwise_read"
    """What a strided one reads."""
    DEPTHWISE_WRITTEN = "depthwise_written"
    """What a strided one writes."""
    MULTIPLIED = "multiplied"
    MATMUL = "matmul"
    MATMUL_SLICE = "matmul_slice"
    """Matrices, one by one."""
    MATMUL_READ = "matmul_read"
    MATMUL_WRITTEN = "matmul_written"
    LOOKUP = "lookup"
    LOOKUP_BEHIND = "lookup_behind"
    """The same of what a convolution alone computes."""
    LOOKUP_SMALL = "lookup_small"
    """The same of so few elements that they are looked up one by one."""
    ELEMENTWISE = "elementwise"
    GATE = "gate"
    """Products and quotients of two maps."""
    SCALE = "scale"
    """The same of the product of two computed matrices and numbers, matrices rounded up as channels are."""
    SHORTCUT = "shortcut"
    MOVE = "move"
    JOIN = "join"
    PART = "part"
    PART_ROWS = "part_rows"
    """Rows that come of it, in millions."""
    APART = "apart"
    """Elements as they are of tokens whose queries, keys and values are laid apart, and"""
    APART_LARGE = "apart_large"
    """the same of so many that they are stored, and loaded again, before they are scattered."""
    HEADS = "heads"
    """Elements of tokens that are cut into heads, rows rounded up to the lane."""
    TURN = "turn"
    TURN_PARTED = "turn_parted"
    """The same over five axes or more: elements as they are, and"""
    TURN_CALL = "turn_call"
    """one per node."""
    SCATTER = "scatter"
    BLOCK = "block"
    CONCAT = "concat"
    SLICE = "slice"
    CUT = "cut"
    """Some channels of a map."""
    SPLIT = "split"
    """All of them, told apart."""
    RESIZE = "resize"
    POOL = "pool"
    """The largest of windows next to each other: elements written times the window."""
    POOL_STRIDED = "pool_strided"
    """The same at a stride: elements read times the window's width."""
    AVERAGE = "average"
    """Elements written times the window."""
    GLOBAL = "global"
    REDUCE = "reduce"
    NORM = "norm"
    """Elements that the square root of a sum of squares reads."""
    SQUARES = "squares"
    """Elements that a Pow makes, and"""
    SQUARES_READ = "squares_read"
    """those that are summed up for a variance: int16, it seems, for they take several times as long."""
    ENTER = "enter"
    """Features that are read from memory, elements as they are."""
    LEAVE = "leave"
    """Features that the host reads."""
    LEAVE_TURNED = "leave_turned"
    """The same of a map that the host reads channels first, so that it is turned on the chip."""
    LAYER = "layer"
    """One per layer."""


INSTEAD: dict[Term, Term | None] = {
    Term.DENSE_STRIDED: Term.DENSE,
    Term.STEM_AREA: None,
    Term.STEM_TAPS: None,
    Term.TRANSPOSED: Term.DENSE,
    Term.DEPTHWISE_STRIDED: Term.DEPTHWISE,
    Term.DEPTHWISE_READ: None,
    Term.DEPTHWISE_WRITTEN: None,
    Term.DEPTHWISE_LARGE: Term.DEPTHWISE,
    Term.MULTIPLIED: Term.DEPTHWISE,
    Term.MATMUL_READ: None,
    Term.MATMUL_WRITTEN: None,
    Term.LOOKUP_BEHIND: Term.LOOKUP,
    Term.LOOKUP_SMALL: Term.LOOKUP,
    Term.GATE: Term.ELEMENTWISE,
    Term.SCALE: None,
    Term.SHORTCUT: None,
    Term.JOIN: Term.MOVE,
    Term.PART: Term.MOVE,
    Term.PART_ROWS: None,
    Term.APART: Term.PART,
    Term.APART_LARGE: None,
    Term.HEADS: Term.PART,
    Term.TURN: Term.MOVE,
    Term.TURN_PARTED: Term.MOVE,
    Term.TURN_CALL: None,
    Term.SCATTER: Term.MOVE,
    Term.BLOCK: Term.CONCAT,
    Term.SLICE: Term.CONCAT,
    Term.CUT: Term.SLICE,
    Term.SPLIT: Term.CUT,
    Term.RESIZE: Term.CONCAT,
    Term.POOL: None,
    Term.POOL_STRIDED: Term.POOL,
    Term.AVERAGE: Term.POOL,
    Term.GLOBAL: Term.REDUCE,
    Term.NORM: Term.REDUCE,
    Term.SQUARES: Term.LOOKUP,
    Term.SQUARES_READ: Term.REDUCE,
    Term.ENTER: None,
    Term.LEAVE: None,
    Term.LEAVE_TURNED: Term.LEAVE,
}
"""The term whose rate stands for one without a rate; None: it then costs nothing."""


PER_LAYER = frozenset({Term.LAYER, Term.TURN_CALL})
"""Terms that are so many per layer, however much there is to do."""

Amounts: TypeAlias = "dict[Term, float]"
_LARGE = 5
_AT_ONCE = 1 << 16
_MAP = 4


def amounts(node: Node, engines: tuple[Kind, ...], align: Alignment, edge: Edge) -> Amounts:
    """The terms of a node that keeps ``engines`` busy, at least those of its edge; NotStatic when a dim is unknown."""
    found: Amounts = {Term.LAYER: float(len(engines))} if engines else {}
    for kind in engines:
        for term, amount in _OF[kind](node, align) if kind in _OF else _written(Term(kind), node, align):
            found[term] = found.get(term, 0.0) + amount
    for term, size in _crossing(edge, align):
        found[term] = found.get(term, 0.0) + size * 1e-6
    return found


def _crossing(edge: Edge, align: Alignment) -> Iterator[tuple[Term, int]]:
    """Elements that a node reads from memory, as they are, and writes there, padded, by the term they are part of."""
    if edge.enters:
        yield Term.ENTER, sum(map(work.elements, edge.enters))
    for tensor in edge.leaves:
        turned = tensor in edge.first and tensor.rank == _MAP and prod(work.dims(tensor)[2:]) > 1
        yield Term.LEAVE_TURNED if turned else Term.LEAVE, work.padded(tensor, align)


_Parts = Iterator[tuple[Term, float]]


def _written(term: Term, node: Node, align: Alignment) -> _Parts:
    """MB of what a node writes."""
    yield term, sum(work.padded(t, align) for t in node.outputs if t.name) * 1e-6


def _read(term: Term, node: Node, align: Alignment) -> _Parts:
    yield term, sum(work.padded(t, align) for t in features(node)) * 1e-6


def _macs(node: Node, align: Alignment) -> float:
    rest, sides = work.dense(node, align)
    return rest * prod(side.aligned for side in sides) * 1e-9


def _dense(node: Node, align: Alignment) -> _Parts:
    strided = any(s > 1 for s in node.attrs.get("strides", ()))
    yield Term.DENSE_STRIDED if strided else Term.DENSE, _macs(node, align)
    if node.op == "Conv" and work.is_stem(node):
        batch, _, *sides = work.dims(node.inputs[0])
        places = batch * prod(sides) * 1e-6
        yield Term.STEM_AREA, places
        yield Term.STEM_TAPS, places * work.dims(filters(node))[-1]


def _transposed(node: Node, align: Alignment) -> _Parts:
    yield Term.TRANSPOSED, _macs(node, align)


def _depthwise(node: Node, align: Alignment) -> _Parts:
    kernel = work.dims(filters(node))[2:]
    written = work.padded(node.outputs[0], align)
    if all(s == 1 for s in node.attrs.get("strides", (1,))):
        sides = work.places(node.outputs[0], align)
        halo = prod(s + k - 1 for s, k in zip(sides, kernel, strict=True)) / max(1, prod(sides))
        yield _by_kernel(kernel), written * halo * prod(kernel) * 1e-9
        return
    yield Term.DEPTHWISE_STRIDED, written * prod(kernel) * 1e-9
    yield Term.DEPTHWISE_READ, work.padded(node.inputs[0], align) * 1e-6
    yield Term.DEPTHWISE_WRITTEN, written * 1e-6


def _by_kernel(kernel: tuple[int, ...]) -> Term:
    return Term.DEPTHWISE_LARGE if max(kernel) > _LARGE else Term.DEPTHWISE


def _multiplied(node: Node, align: Alignment) -> _Parts:
    yield Term.MULTIPLIED, work.padded(node.outputs[0], align) * prod(work.dims(filters(node))[2:]) * 1e-9


def _matmul(node: Node, align: Alignment) -> _Parts:
    yield Term.MATMUL, work.product(node, align) * 1e-9
    yield Term.MATMUL_SLICE, work.slices(node)
    yield Term.MATMUL_READ, sum(map(work.elements, node.inputs[:2])) * 1e-6
    yield Term.MATMUL_WRITTEN, work.elements(node.outputs[0]) * 1e-6


def _pool(node: Node, align: Alignment) -> _Parts:
    window = tuple(node.attrs.get("kernel_shape", (1,)))
    if node.op == "MaxPool" and any(s > 1 for s in node.attrs.get("strides", ())):
        yield Term.POOL_STRIDED, work.padded(node.inputs[0], align) * window[-1] * 1e-6
        return
    yield Term.POOL if node.op == "MaxPool" else Term.AVERAGE, work.padded(node.outputs[0], align) * prod(window) * 1e-6


def _lookup(node: Node, align: Alignment) -> _Parts:
    if (size := work.elements(node.outputs[0])) <= align.one_by_one:
        yield Term.LOOKUP_SMALL, size * 1e-6
    else:
        yield from _written(_looked_up(node), node, align)


def _looked_up(node: Node) -> Term:
    if node.op == "Pow":
        return Term.SQUARES
    return Term.LOOKUP_BEHIND if is_behind_convolution(node) else Term.LOOKUP


def _reduced(node: Node, align: Alignment) -> _Parts:
    before = feeder(node.inputs[0], alone=False)
    squares = before is not None and before.op == "Pow"
    return _read(Term.SQUARES_READ if squares else Term.REDUCE, node, align)


def _longer(tensor: Tensor, align: Alignment) -> float:
    """MB of a tensor whose rows are rounded up to the lane."""
    shape = work.dims(tensor)
    return prod(shape[:-1]) * -(-(shape[-1] if shape else 1) // align.lane) * align.lane * 1e-6


def _joined(node: Node, align: Alignment) -> _Parts:
    yield Term.JOIN, _longer(node.inputs[0], align)


def _parted(node: Node, _: Alignment) -> _Parts:
    """Heads lie side by side, as channels do, and are cut at once; those of a product one by one."""
    shape, made = work.dims(node.outputs[0]), feeder(node.inputs[0], alone=False)
    before = work.dims(node.inputs[0])
    heads = 1 if made is None or made.op == "MatMul" or len(before) < _MAP else max(1, before[-3])
    yield Term.PART, prod(shape) / heads * 1e-6
    yield Term.PART_ROWS, prod(shape[:-1]) / heads * 1e-6


def _laid_apart(node: Node, _: Alignment) -> _Parts:
    size = work.elements(node.outputs[0])
    yield Term.APART, size * 1e-6
    if size > _AT_ONCE:
        yield Term.APART_LARGE, size * 1e-6


def _cut_into_heads(node: Node, align: Alignment) -> _Parts:
    yield Term.HEADS, _longer(node.outputs[0], align)


def _scaled(node: Node, align: Alignment) -> _Parts:
    shape = work.dims(node.outputs[0])
    yield Term.SCALE, shape[0] * work.up(shape[1], align.out_channels) * prod(shape[2:]) * 1e-6


def _turned(node: Node, align: Alignment) -> _Parts:
    if len(work.dims(node.outputs[0])) > _MAP:
        yield Term.TURN_PARTED, work.elements(node.outputs[0]) * 1e-6
        yield Term.TURN_CALL, 1.0
    else:
        yield Term.TURN, _longer(node.outputs[0], align)


def _moved(node: Node, align: Alignment) -> _Parts:
    yield Term.MOVE, _longer(node.outputs[0], align)


_OF: dict[Kind, Callable[[Node, Alignment], _Parts]] = {
    Kind.DENSE: _dense,
    Kind.TRANSPOSED: _transposed,
    Kind.DEPTHWISE: _depthwise,
    Kind.MULTIPLIED: _multiplied,
    Kind.MATMUL: _matmul,
    Kind.LOOKUP: _lookup,
    Kind.POOL: _pool,
    Kind.GLOBAL: partial(_read, Term.GLOBAL),
    Kind.REDUCE: _reduced,
    Kind.NORM: partial(_read, Term.NORM),
    Kind.JOIN: _joined,
    Kind.PART: _parted,
    Kind.APART: _laid_apart,
    Kind.HEADS: _cut_into_heads,
    Kind.SCALE: _scaled,
    Kind.MOVE: _moved,
    Kind.TURN: _turned,
}
"""How to measure the work of a kind; the others by what they write."""
