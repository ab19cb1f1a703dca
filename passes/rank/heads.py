"""Fused query, key and value: taken apart before they are reshaped, not after."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod
from operator import mul

import numpy as np

from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need


@dataclass(frozen=True)
class Taken:
    """A value that holds one index of the axis, which it keeps with size 1 or loses."""

    value: Value
    index: int
    keeps: bool


@dataclass(frozen=True)
class Product:
    """``x @ weight + bias``, which nothing else reads; ``bias`` may be None."""

    x: Tensor
    weight: Constant
    bias: Constant | None


@dataclass(frozen=True)
class Parts:
    """What is taken from one axis of a reshaped and transposed value.

    Attributes:
        node: the first that takes.
        taken: all that is taken.
        axis: from which axis of the transposed value.
        shape: of the reshaped value.
        perm: of the Transpose.
        source: the value before it is reshaped.
        product: how the source is computed, where its weights can be cut.
        columns: of each value taken, the elements of the source's last axis.
    """

    node: Node
    taken: tuple[Taken, ...]
    axis: int
    shape: tuple[int, ...]
    perm: tuple[int, ...]
    source: Tensor
    product: Product | None
    columns: tuple[tuple[int, ...], ...]


class TakeApart(Rule[Parts]):
    """``Gather(Transpose(Reshape(x @ W + b)), i) -> Transpose(Reshape(x @ W[:, i] + b[i]))``, for all i at once.

    Where the source is no product by constants, or is read by others, too, slices of it are taken. The witness on
    bayes-e at O2, 256 tokens of 4 heads, between convolutions: 2953 us with a Split of rank 5, 924 with Slices of
    rank 3, 404 with cut weights.

    Rounding: a smaller product may be added up in another order.
    """

    name, roots = "take-apart", frozenset({"Gather"})
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = frozenset({"Gather.ranks", "Gather.device"})

    def match(self, node: Node, ctx: Context) -> Parts:
        """Gathers of one index each from one axis, which are all that reads it."""
        axis, source = ops.axis(node, 0), need.value(need.present(node, 0), node)
        if ctx.is_output(source):
            raise Mismatch(f"{source.name!r} is also a graph output", node)
        if source.consumers[0] is not node:
            raise Mismatch(f"{source.consumers[0].name!r} reads {source.name!r} first, it takes all apart", node)
        return _parts(node, axis, tuple(_gathered(reader, node, axis) for reader in source.consumers), ctx)

    def rewrite(self, match: Parts, rw: Rewriter) -> None:
        """One product or slice, Reshape and Transpose per part."""
        takers = dict.fromkeys(t.value.producer for t in match.taken)
        for taken, columns in zip(match.taken, match.columns, strict=True):
            if not _is_read(taken.value, rw):
                continue
            part = _part(match, columns, rw)
            if taken.keeps:
                _bypass_squeezes(taken.value, match.axis, part, rw)
                part = build.unsqueeze(rw, part, [match.axis]) if _is_read(taken.value, rw) else part
            rw.replace_value(taken.value, part)
        rw.remove(*(taker for taker in takers if taker is not None))


class TakeSplitApart(TakeApart):
    """The same where one Split takes all: it may stay on the BPU, but at a cost."""

    name, roots = "take-split-apart", frozenset({"Split"})
    purpose, cures = Purpose.ACCELERATE, frozenset({"Split.rank", "Split.axis"})

    def match(self, node: Node, ctx: Context) -> Parts:
        """A Split into parts of size 1 that is all that reads its value."""
        axis = ops.axis(node, 0)
        need.sole_reader(need.value(need.present(node, 0), node), node, ctx)
        if set(ops.split_sizes(node) or [0]) != {1}:
            raise Mismatch(f"splits into {ops.split_sizes(node)}, every part must be of size 1", node)
        taken = tuple(Taken(value, index, keeps=True) for index, value in enumerate(node.outputs))
        return _parts(node, axis, taken, ctx)


@dataclass(frozen=True)
class Pieces:
    """A product, and the Split that cuts its columns, by where each piece ends."""

    node: Node
    product: Product
    bounds: tuple[int, ...]


class SplitProduct(Rule[Pieces]):
    """``Split(x @ W + b) -> x @ W[:, :n] + b[:n], x @ W[:, n:] + b[n:], ...`` along the last axis.

    The witness on bayes-e at O2, 256 tokens of 4 heads, between convolutions: 3596 us with the Split, 404 with cut
    weights. Rounding: a smaller product may be added up in another order.
    """

    name, roots = "split-product", frozenset({"Split"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING
    cures = frozenset({"Split.rank", "Split.axis"})

    def match(self, node: Node, ctx: Context) -> Pieces:
        """A Split of the columns of a product by constants that nothing else reads."""
        source, sizes = need.value(node.inputs[0], node), ops.split_sizes(node)
        rank = need.rank(source, node)
        need.dtype(source, node)
        need.sole_reader(source, node, ctx)
        if ops.axis(node, 0) != rank - 1 or sizes is None:
            raise Mismatch(f"splits axis {ops.axis(node, 0)} of {rank}, it must cut the last at known places", node)
        product = _product(source, ctx)
        if product is None or product.weight.shape[1] != sum(sizes):
            raise Mismatch(f"{source.name!r} must be a product by a constant, at most with a constant added", node)
        return Pieces(node, product, tuple(accumulate(sizes, initial=0)))

    def rewrite(self, match: Pieces, rw: Rewriter) -> None:
        """One product per piece."""
        for value, span in zip(match.node.outputs, pairwise(match.bounds), strict=True):
            if _is_read(value, rw):
                rw.replace_value(value, multiplied(match.product, tuple(range(*span)), rw))
        rw.remove(match.node)


def _gathered(reader: Node, node: Node, axis: int) -> Taken:
    """What ``reader`` takes, which must be one index of the same axis."""
    if reader.op != "Gather" or ops.axis(reader, 0) != axis or reader.graph is not node.graph:
        raise Mismatch(f"{reader.name!r} reads the value, too, every reader must be a Gather of axis {axis}", node)
    index = need.constant(reader, 1)
    if index.size != 1 or index.ndim > 1:
        raise Mismatch(f"{reader.name!r} gathers {index.size} indices, it must be one", node)
    return Taken(reader.outputs[0], int(index.reshape(())), keeps=index.ndim == 1)


def _parts(node: Node, axis: int, taken: tuple[Taken, ...], ctx: Context) -> Parts:
    whole = node.inputs[0]
    need.dtype(whole, node)
    move = whole.producer if whole.producer is not None and whole.producer.op == "Transpose" else None
    shaped = need.producer(move or node, 0, "Reshape")
    shape, source = need.static(shaped.outputs[0], node), shaped.inputs[0]
    perm = tuple((ops.permutation(move) if move else None) or range(len(shape)))
    columns = _columns(node, shape, need.static(source, node), perm[axis], taken)
    alone = _alone(source, ctx) and (move is None or _alone(shaped.outputs[0], ctx))
    product = _product(source, ctx) if alone else None
    if product is None and (wide := next((c for c in columns if c[-1] - c[0] + 1 != len(c)), None)):
        raise Mismatch(f"a part has {len(wide)} of {wide[-1] - wide[0] + 1} elements, they must be adjacent", node)
    return Parts(node, taken, axis, shape, perm, source, product, columns)


def _columns(
    node: Node, shape: tuple[int, ...], before: tuple[int, ...], axis: int, taken: tuple[Taken, ...]
) -> tuple[tuple[int, ...], ...]:
    """Which elements of the source's last axis each part holds."""
    lead = list(accumulate(shape, mul, initial=1)).index(prod(before[:-1])) if prod(before) else len(shape)
    if lead > axis or prod(shape[lead:]) != before[-1]:
        raise Mismatch(f"{list(before)} becomes {list(shape)}, which must cut its last axis into axis {axis}", node)
    places = np.arange(before[-1]).reshape(shape[lead:])
    return tuple(tuple(np.take(places, t.index, axis - lead).reshape(-1).tolist()) for t in taken)


def _product(source: Tensor, ctx: Context) -> Product | None:
    """The product that makes ``source``, where its weights are constant and it is read here alone."""
    node, bias = source.producer, None
    if node is not None and node.op == "Add":
        bias = next((t for t in node.inputs if isinstance(t, Constant)), None)
        inner = next((t for t in node.inputs if not isinstance(t, Constant)), node.inputs[0])
        if bias is None or bias.rank == 0 or bias.weight.missing or not _alone(inner, ctx):
            return None
        node = inner.producer
    if node is None or node.op != "MatMul" or not node.is_onnx:
        return None
    weight = node.inputs[1]
    if not isinstance(weight, Constant) or weight.rank != 2 or weight.weight.missing:
        return None
    return Product(node.inputs[0], weight, bias)


def _alone(tensor: Tensor, ctx: Context) -> bool:
    return len(tensor.consumers) == 1 and not ctx.is_output(tensor)


def _part(match: Parts, columns: tuple[int, ...], rw: Rewriter) -> Tensor:
    """One part, without the axis it was taken from."""
    gone = match.perm[match.axis]
    shape = [size for axis, size in enumerate(match.shape) if axis != gone]
    perm = [p - (p > gone) for p in match.perm if p != gone]
    shaped = build.reshape(rw, _cut(match, columns, rw), shape)
    return shaped if perm == sorted(perm) else build.transpose(rw, shaped, perm)


def _cut(match: Parts, columns: tuple[int, ...], rw: Rewriter) -> Tensor:
    """``columns`` of the source."""
    if match.product is None:
        return build.slice_(rw, match.source, [(match.source.rank or 1) - 1], [columns[0]], [columns[-1] + 1])
    return multiplied(match.product, columns, rw)


def multiplied(product: Product, columns: tuple[int, ...], rw: Rewriter) -> Tensor:
    """``columns`` of a product."""
    value = rw.op("MatMul", product.x, rw.constant(product.weight.values[:, list(columns)]))
    if product.bias is None:
        return value
    bias = product.bias.values
    return rw.op("Add", value, rw.constant(bias if bias.shape[-1] == 1 else bias[..., list(columns)]))


def _bypass_squeezes(value: Value, axis: int, part: Tensor, rw: Rewriter) -> None:
    """Let the readers of Squeezes of the axis read ``part``."""
    for reader in value.consumers:
        if reader.op == "Squeeze" and ops.axes(reader) == [axis] and reader.inputs[0] is value:
            rw.replace(reader, part)


def _is_read(value: Value, rw: Rewriter) -> bool:
    return bool(value.outputs) or rw.is_output(value)
