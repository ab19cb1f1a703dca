"""How much of each term a node on the BPU takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from surgery.cost import work
from surgery.cost.edges import Edge
from surgery.cost.kinds import NATIVE, OF_WINDOWS, Kind, is_behind_convolution, kinds, line_of
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
_AT_ONCE = 1 << 16
_MAP, _ROW = 4, 2
_BACK = 0.75
"""What it takes to make a column a row again, beside making a row a column (seen at O2 on bayes-e and bayes)."""
_BACK_TO_MAP = [0, 3, 1, 2]
_RUN = 64
"""Places of a row that are put in their place at once."""


def amounts(node: Node, engines: tuple[Kind, ...], align: Alignment, edge: Edge) -> Amounts:
    """The terms of a node that keeps ``engines`` busy, at least those of its edge; NotStatic when a dim is unknown."""
    found: Amounts = {Term.LAYER: float(len(engines))} if engines else {}
    for kind in engines:
        for term, amount in _OF[kind](node, align) if kind in _OF else _written(Term(kind), node, align):
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


_Parts = Iterator[tuple[Term, float]]


def _written(term: Term, node: Node, align: Alignment) -> _Parts:
    """MB of what a node writes."""
    yield term, sum(work.padded(t, align) for t in node.outputs if t.name) * 1e-6


def _read(term: Term, node: Node, align: Alignment) -> _Parts:
    yield term, sum(work.padded(t, align) for t in features(node)) * 1e-6


def _macs(node: Node, align: Alignment) -> float:
    rest, sides = work.dense(node, align)
    return rest * prod(side.aligned for side in sides) * 1e-9


def _dilated(node: Node, align: Alignment) -> _Parts:
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


def _dense(node: Node, align: Alignment) -> _Parts:
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


def _out(node: Node, busy: float, align: Alignment) -> _Parts:
    """What the engine writes beyond ``busy`` MB, which its products leave time for; twice what is read at a stride."""
    size = work.padded(node.outputs[0], align) * 1e-6
    yield Term.WRITTEN, max(0.0, size - busy)
    if is_read_at_a_stride(node.outputs[0]):
        yield Term.WRITTEN_APART, max(0.0, 2 * size - busy) - max(0.0, size - busy)


def _transposed(node: Node, align: Alignment) -> _Parts:
    yield Term.TRANSPOSED, _macs(node, align)


def _depthwise(node: Node, align: Alignment) -> _Parts:
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


def _spread(node: Node, align: Alignment) -> _Parts:
    """A map made larger channel by channel, whose places are sorted at a stride of more than two."""
    yield from _written(Term.SPREAD, node, align)
    if max(node.attrs.get("strides", (1,))) > _NEAR:
        yield Term.SPREAD_PLACES, _places(node.outputs[0], align)


def _by_kernel(kernel: tuple[int, ...]) -> Term:
    return Term.DEPTHWISE_LARGE if max(kernel) > _LARGE else Term.DEPTHWISE


def _channels_scaled(node: Node, align: Alignment) -> _Parts:
    yield from _written(Term.CHANNELS_SCALED, node, align)
    yield Term.CHANNELS_SCALED_CALL, prod(work.dims(node.outputs[0])[:2]) * 1e-6


def _elementwise(node: Node, align: Alignment) -> _Parts:
    yield from _written(Term.ELEMENTWISE, node, align)
    read = features(node)
    if len(read) > 1 and all(t.rank == _ROW for t in (*read, node.outputs[0])):
        yield Term.COLUMN, work.elements(node.outputs[0]) * (len(read) + _BACK) * 1e-6
    turned = [made.inputs[0] for t in read if (made := _turned_back(t)) is not None]
    if node.op == "Add" and len(turned) == 1 < len(read):
        yield Term.TURN, _longer(turned[0], align)


def _turned_back(tensor: Tensor) -> Node | None:
    """The Transpose that made a map channels first, for which the other side of a sum is turned, too."""
    made = feeder(tensor, alone=True)
    return made if made is not None and made.op == "Transpose" and permutation(made) == _BACK_TO_MAP else None


def _multiplied(node: Node, align: Alignment) -> _Parts:
    yield Term.MULTIPLIED, work.padded(node.outputs[0], align) * prod(work.dims(filters(node))[2:]) * 1e-9
    yield from _dilated(node, align)


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


def _lookup(node: Node, align: Alignment) -> _Parts:
    if node.op not in NATIVE and _rows(node.outputs[0], align) <= align.one_by_one:
        yield Term.LOOKUP_SMALL, _rows(node.outputs[0], align) * 1e-6
    else:
        yield from _written(_looked_up(node), node, align)
        if node.op not in NATIVE and is_read_at_a_stride(node.outputs[0]):
            yield from _written(Term.LOOKUP_APART, node, align)


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


def _reduced(node: Node, align: Alignment) -> _Parts:
    before = feeder(node.inputs[0], alone=False)
    squares = before is not None and before.op == "Pow"
    yield from _read(Term.SQUARES_READ if squares else Term.REDUCE, node, align)
    if not squares:
        yield from _lines(node, align)


def _lines(node: Node, align: Alignment) -> _Parts:
    """The rows or columns of a map that are summed up one by one, however many channels lie side by side in a row."""
    axis = line_of(node)
    if axis is None:
        return
    batch, channels, height, width = work.dims(node.inputs[0])
    rows = axis == _MAP - 1
    count = batch * (height * -(-channels // align.lane) if rows else channels) * 1e-3
    yield Term.REDUCE_ROWS if rows else Term.REDUCE_COLUMNS, count
    yield Term.REDUCE_ALONG, count * (width if rows else height)


def _longer(tensor: Tensor, align: Alignment) -> float:
    """MB of a tensor whose rows are rounded up to the lane."""
    shape = work.dims(tensor)
    return prod(shape[:-1]) * -(-(shape[-1] if shape else 1) // align.lane) * align.lane * 1e-6


def _joined(node: Node, align: Alignment) -> _Parts:
    yield Term.JOIN, _longer(node.inputs[0], align)


def _flattened(node: Node, _: Alignment) -> _Parts:
    yield Term.FLATTEN, work.elements(node.outputs[0]) * 1e-6


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


def _cut(node: Node, align: Alignment) -> _Parts:
    yield from _written(Term.CUT, node, align)
    before, after = work.dims(node.inputs[0]), node.outputs[0]
    if work.dims(after)[1] % align.in_channels:
        yield Term.CUT_ODD, _runs(after)
    read, written = align.channels(point=True)
    channels = work.up(before[1], read) * work.up(work.dims(after)[1], written)
    yield Term.CUT_CONVOLVED, before[0] * prod(work.places(after, align)) * channels * 1e-9


def _joined_up(node: Node, align: Alignment) -> _Parts:
    """Channels that do not begin at a multiple are put in their places one by one, or by a convolution."""
    yield from _written(Term.CONCAT, node, align)
    if node.op == "Concat" and are_odd(node, node.inputs, align):
        yield Term.CONCAT_ODD, _runs(node.outputs[0])
        yield Term.CUT_CONVOLVED, _all_by_all(node.outputs[0], align)


def _told_apart(node: Node, align: Alignment) -> _Parts:
    """Odd channels, too; those that products of all channels alone read are picked by these."""
    yield from _written(Term.SPLIT, node, align)
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


def _scaled(node: Node, align: Alignment) -> _Parts:
    shape = work.dims(node.outputs[0])
    yield Term.SCALE, shape[0] * work.up(shape[1], align.out_channels) * prod(shape[2:]) * 1e-6


def _turned(node: Node, align: Alignment) -> _Parts:
    if len(work.dims(node.outputs[0])) > _MAP:
        yield Term.TURN_PARTED, work.elements(node.outputs[0]) * 1e-6
        yield Term.TURN_CALL, 1.0
    else:
        yield Term.TURN, _longer(node.outputs[0], align)


def _scattered(node: Node, align: Alignment) -> _Parts:
    """Windows of a map row by row, those of each channel where it lies channels first; joined to rows, run by run."""
    yield from _written(Term.SCATTER, node, align)
    shape, perm = work.dims(node.inputs[0]), permutation(node)
    if len(shape) != OF_WINDOWS or perm is None:
        return
    if perm[-1] == 1:
        yield Term.SCATTER_ROWS, prod(shape[:-1]) * 1e-6
    elif perm[-1] == len(shape) - 1:
        joined = perm[-2] < len(shape) - 3
        yield Term.SCATTER_RUNS if joined else Term.SCATTER_ROWS, prod(shape[: -1 if joined else -2]) * 1e-6


def _moved(node: Node, align: Alignment) -> _Parts:
    yield Term.MOVE, _longer(node.outputs[0], align)


_OF: dict[Kind, Callable[[Node, Alignment], _Parts]] = {
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
    Kind.JOIN: _joined,
    Kind.FLATTEN: _flattened,
    Kind.PART: _parted,
    Kind.APART: _laid_apart,
    Kind.HEADS: _cut_into_heads,
    Kind.CONCAT: _joined_up,
    Kind.SPLIT: _told_apart,
    Kind.CUT: _cut,
    Kind.SCALE: _scaled,
    Kind.MOVE: _moved,
    Kind.SCATTER: _scattered,
    Kind.TURN: _turned,
}
"""How to measure the work of a kind; the others by what they write."""
