"""How much of each term a node on the BPU takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from surgery.cost import work
from surgery.cost.edges import Edge
from surgery.cost.kinds import NATIVE, Kind, is_behind_convolution, line_of
from surgery.cost.layouts import LAYOUTS, Parts, all_written, in_lanes
from surgery.cost.links import features, feeder, filters, is_read_at_a_stride
from surgery.cost.terms import Term
from surgery.ir.graph import Node, Tensor
from surgery.ir.ops import permutation

if TYPE_CHECKING:
    from surgery.cost.coefficients import Alignment

Amounts: TypeAlias = "dict[Term, float]"
_LARGE = 5
_IN_STAGES = 0.8
_NEAR = 2
_SMALL_WINDOW = 3
_MAP, _ROW = 4, 2
_BACK = 0.75
"""What it takes to make a column a row again, beside making a row a column (seen at O2 on bayes-e and bayes)."""
_BACK_TO_MAP = [0, 3, 1, 2]


def amounts(node: Node, engines: tuple[Kind, ...], align: Alignment, edge: Edge) -> Amounts:
    """The terms of a node that keeps ``engines`` busy, at least those of its edge; NotStatic when a dim is unknown."""
    found: Amounts = {Term.LAYER: float(len(engines))} if engines else {}
    for kind in engines:
        for term, amount in _OF[kind](node, align) if kind in _OF else all_written(Term(kind), node, align):
            found[term] = found.get(term, 0.0) + amount
    if Kind.MATMUL in engines and edge.enters:  # these are laid out as they are loaded
        found[Term.MATMUL_READ] -= sum(map(work.elements, edge.enters)) * 1e-6
        edge = edge._replace(enters=())
    for term, size in _crossing(edge, align):
        found[term] = found.get(term, 0.0) + size * 1e-6
    return found


def _crossing(edge: Edge, align: Alignment) -> Iterator[tuple[Term, int]]:
    """Elements that a node reads from memory, as they are, and writes there, by the term they are part of.

    What leaves is padded, but for sums that are turned: these take time by the row, too.
    """
    if edge.enters:
        yield Term.ENTER, sum(map(work.elements, edge.enters))
    for tensor in edge.leaves:
        turned = tensor in edge.sums and tensor.rank == _MAP and prod(work.dims(tensor)[2:]) > 1
        if turned:
            batch, channels, height, width = work.dims(tensor)
            rows = batch * work.up(channels, align.in_channels) * height
            yield Term.LEAVE_TURNED, rows * width
            yield Term.LEAVE_ROWS, rows
        else:
            yield Term.LEAVE, work.padded(tensor, align)


def _read(term: Term, node: Node, align: Alignment) -> Parts:
    yield term, sum(work.padded(t, align) for t in features(node)) * 1e-6


def _macs(node: Node, align: Alignment) -> float:
    rest, sides = work.dense(node, align)
    return rest * prod(side.aligned for side in sides) * 1e-9


def _dilated(node: Node, align: Alignment) -> Parts:
    """What a dilated convolution takes beside its products."""
    furthest = max(node.attrs.get("dilations", (1,)))
    if furthest < _NEAR or prod(work.dims(filters(node))[2:]) == 1:
        return
    share = 1 / prod(node.attrs.get("strides", (1,)))  # places that a stride leaves out are not sorted
    yield Term.DILATED if furthest == _NEAR else Term.DILATED_FAR, share * work.padded(node.inputs[0], align) * 1e-6
    yield Term.DILATED_WRITTEN, share * work.padded(node.outputs[0], align) * 1e-6
    if furthest > _NEAR:
        yield Term.DILATED_PLACES, share * _places(node.outputs[0], align)
        batch, _, *sides = work.dims(node.outputs[0])
        yield Term.DILATED_ROWS, share * batch * sides[0] * 1e-3


def _places(tensor: Tensor, align: Alignment) -> float:
    """Millions of places of all maps of a batch, as the chip holds them."""
    return work.dims(tensor)[0] * prod(work.places(tensor, align)) * 1e-6


def _apart(node: Node, align: Alignment) -> float:
    """How many times the places of a map a far dilation has the engine work out.

    Those a dilation apart are sorted together, and each such map is rounded up to the engine's sides: one of 14x14 with
    a dilation of 12 is 144 maps of 2x2, worked out as 4x8 each on bayes-e.
    """
    steps, sides = node.attrs.get("dilations", (1,)), work.dims(node.outputs[0])[2:]
    if max(steps) <= _NEAR or len(sides) != 2:
        return 1.0
    taps = work.dims(filters(node))[2:]
    whole = apart = 1
    for size, step, count, tile in zip(sides, steps, taps, (align.height, align.width), strict=True):
        maps = step if count > 1 else 1
        whole *= work.up(size, tile)
        apart *= maps * work.up(-(-size // maps), tile)
    return max(1.0, apart / max(1, whole))


def _dense(node: Node, align: Alignment) -> Parts:
    strided = any(s > 1 for s in node.attrs.get("strides", ()))
    macs = _macs(node, align)
    yield Term.DENSE_STRIDED if strided else Term.DENSE, macs * (1 if strided else _apart(node, align))
    if align.write_macs and node.op not in ("Gemm", "MatMul"):
        yield from _out(node, macs * 1e3 / align.write_macs, align)
    if node.op == "Conv" and work.is_stem(node):
        batch, _, *sides = work.dims(node.inputs[0])
        places = batch * prod(sides) * 1e-6
        yield Term.STEM_AREA, places
        yield Term.STEM_TAPS, places * work.dims(filters(node))[-1]
    yield from _dilated(node, align)


def _out(node: Node, busy: float, align: Alignment) -> Parts:
    """What the engine writes beyond ``busy`` MB, which its products leave time for; twice what is read at a stride."""
    size = work.padded(node.outputs[0], align) * 1e-6
    yield Term.WRITTEN, max(0.0, size - busy)
    if is_read_at_a_stride(node.outputs[0]):
        yield Term.WRITTEN_APART, max(0.0, 2 * size - busy) - max(0.0, size - busy)


def _transposed(node: Node, align: Alignment) -> Parts:
    yield Term.TRANSPOSED, _macs(node, align)


def _depthwise(node: Node, align: Alignment) -> Parts:
    if node.op == "ConvTranspose":
        yield from _spread(node, align)
        return
    yield from _dilated(node, align)
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


def _spread(node: Node, align: Alignment) -> Parts:
    """A map made larger channel by channel, whose places are sorted at a stride of more than two."""
    yield from all_written(Term.SPREAD, node, align)
    if max(node.attrs.get("strides", (1,))) > _NEAR:
        yield Term.SPREAD_PLACES, _places(node.outputs[0], align)


def _by_kernel(kernel: tuple[int, ...]) -> Term:
    return Term.DEPTHWISE_LARGE if max(kernel) > _LARGE else Term.DEPTHWISE


def _channels_scaled(node: Node, align: Alignment) -> Parts:
    yield from all_written(Term.CHANNELS_SCALED, node, align)
    yield Term.CHANNELS_SCALED_CALL, prod(work.dims(node.outputs[0])[:2]) * 1e-6


def _elementwise(node: Node, align: Alignment) -> Parts:
    yield from all_written(Term.ELEMENTWISE, node, align)
    read = features(node)
    if len(read) > 1 and all(t.rank == _ROW for t in (*read, node.outputs[0])):
        yield Term.COLUMN, work.elements(node.outputs[0]) * (len(read) + _BACK) * 1e-6
    turned = [made.inputs[0] for t in read if (made := _turned_back(t)) is not None]
    if node.op == "Add" and len(turned) == 1 < len(read):
        yield Term.TURN, in_lanes(turned[0], align)


def _turned_back(tensor: Tensor) -> Node | None:
    """The Transpose that made a map channels first, for which the other side of a sum is turned, too."""
    made = feeder(tensor, alone=True)
    return made if made is not None and made.op == "Transpose" and permutation(made) == _BACK_TO_MAP else None


def _multiplied(node: Node, align: Alignment) -> Parts:
    yield Term.MULTIPLIED, work.padded(node.outputs[0], align) * prod(work.dims(filters(node))[2:]) * 1e-9
    yield from _dilated(node, align)


def _matmul(node: Node, align: Alignment) -> Parts:
    yield Term.MATMUL, work.product(node, align) * 1e-9
    yield Term.MATMUL_SLICE, work.slices(node)
    yield Term.MATMUL_READ, sum(map(work.elements, node.inputs[:2])) * 1e-6
    yield Term.MATMUL_WRITTEN, work.elements(node.outputs[0]) * 1e-6


def _pool(node: Node, align: Alignment) -> Parts:
    window = tuple(node.attrs.get("kernel_shape", (1,)))
    if node.op == "MaxPool" and any(s > 1 for s in node.attrs.get("strides", ())):
        yield Term.POOL_STRIDED, work.padded(node.inputs[0], align) * window[-1] * 1e-6
        return
    written = work.padded(node.outputs[0], align) * 1e-6
    if node.op == "MaxPool":
        yield Term.POOL, written * prod(window) ** _IN_STAGES
        return
    yield Term.AVERAGE, written * prod(window)
    if max(window) > _SMALL_WINDOW and _counts_less_at_the_edge(node):
        places = _places(node.outputs[0], align)
        yield Term.AVERAGE_EDGE, places
        yield Term.AVERAGE_EDGE_TAPS, places * prod(window)


def _counts_less_at_the_edge(node: Node) -> bool:
    """Whether an average is over what its window holds of the map, so that it divides by less at the edge."""
    pads = node.attrs.get("pads", ()) if node.op == "AveragePool" else ()
    return any(pads) and not node.attrs.get("count_include_pad", 0)


def _lookup(node: Node, align: Alignment) -> Parts:
    if node.op not in NATIVE and _rows(node.outputs[0], align) <= align.one_by_one:
        yield Term.LOOKUP_SMALL, _rows(node.outputs[0], align) * 1e-6
    else:
        yield from all_written(_looked_up(node), node, align)
        if node.op not in NATIVE and is_read_at_a_stride(node.outputs[0]):
            yield from all_written(Term.LOOKUP_APART, node, align)


def _rows(tensor: Tensor, align: Alignment) -> int:
    """Elements of a tensor, channels and rows of a map rounded up; those of one place each are one row."""
    shape = work.dims(tensor)
    if len(shape) != _MAP or prod(shape[2:]) == 1:
        return prod(shape)
    batch, channels, *others, width = shape if shape[-1] > 1 else shape[:-1]
    return batch * work.up(channels, align.in_channels) * prod(others) * work.up(width, align.map_width)


def _looked_up(node: Node) -> Term:
    if node.op == "Pow":
        return Term.SQUARES
    return Term.LOOKUP_BEHIND if is_behind_convolution(node) else Term.LOOKUP


def _reduced(node: Node, align: Alignment) -> Parts:
    before = feeder(node.inputs[0], alone=False)
    squares = before is not None and before.op == "Pow"
    yield from _read(Term.SQUARES_READ if squares else Term.REDUCE, node, align)
    if not squares:
        yield from _lines(node, align)


def _lines(node: Node, align: Alignment) -> Parts:
    """The rows or columns of a map that are summed up one by one, however many channels lie side by side in a row."""
    axis = line_of(node)
    if axis is None:
        return
    batch, channels, height, width = work.dims(node.inputs[0])
    rows = axis == _MAP - 1
    count = batch * (height * -(-channels // align.lane) if rows else channels) * 1e-3
    yield Term.REDUCE_ROWS if rows else Term.REDUCE_COLUMNS, count
    yield Term.REDUCE_ALONG, count * (width if rows else height)


def _scaled(node: Node, align: Alignment) -> Parts:
    shape = work.dims(node.outputs[0])
    yield Term.SCALE, shape[0] * work.up(shape[1], align.out_channels) * prod(shape[2:]) * 1e-6


_OF: Mapping[Kind, Callable[[Node, Alignment], Parts]] = {
    **LAYOUTS,
    Kind.DENSE: _dense,
    Kind.TRANSPOSED: _transposed,
    Kind.DEPTHWISE: _depthwise,
    Kind.MULTIPLIED: _multiplied,
    Kind.CHANNELS_SCALED: _channels_scaled,
    Kind.ELEMENTWISE: _elementwise,
    Kind.MATMUL: _matmul,
    Kind.LOOKUP: _lookup,
    Kind.POOL: _pool,
    Kind.GLOBAL: partial(_read, Term.GLOBAL),
    Kind.REDUCE: _reduced,
    Kind.NORM: partial(_read, Term.NORM),
    Kind.SCALE: _scaled,
}
"""How to measure the work of a kind; the others by what they write."""
