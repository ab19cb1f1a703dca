"""Poolings over larger windows than a march has."""

from __future__ import annotations

from dataclasses import dataclass

from passes.substitute.base import Substitution, floats, one_output
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Rewriter, need


@dataclass(frozen=True)
class Cascade:
    """A pooling of an NxCxHxW value, and the windows of the poolings that stand for it, one after the other."""

    node: Node
    x: Tensor
    windows: tuple[tuple[int, int], ...]


def _window(node: Node, ctx: Context) -> tuple[list[int], list[int], list[int]]:
    """Kernel, strides and pads of a plain pooling over two axes."""
    need.rank(floats(node), node, 4)
    kernel, pads = ops.kernel_shape(node), ops.pads(node)
    if kernel is None or pads is None or len(kernel) != 2:
        raise Mismatch("its window must be known", node)
    if ops.attr(node, "ceil_mode", 0) or set(ops.spatial(node, "dilations", 2)) != {1}:
        raise Mismatch("rounds up or is dilated", node)
    if ctx.target is None:
        raise Mismatch("no march is given, so no limit is exceeded", node)
    return kernel, ops.spatial(node, "strides", 2), pads


class MaxPoolCascade(Substitution[Cascade]):
    """``MaxPool<k>(x) -> MaxPool<k - a + 1>(MaxPool<a, stride 1>(x))``; exact: a maximum of maxima."""

    name, roots, exactness = "max-pool-cascade", frozenset({"MaxPool"}), Exactness.EXACT
    cures = frozenset({"MaxPool.kernel_h", "MaxPool.kernel_w"})

    def match(self, node: Node, ctx: Context) -> Cascade:
        """Windows that are padded by less than half, so that no part of them is all padding."""
        kernel, _, pads = _window(node, ctx)
        one_output(node, "the indices")
        first = [size // 2 + 1 for size in kernel]
        if any(pad >= size for pad, size in zip(pads, first * 2, strict=True)):
            raise Mismatch(f"pads by {pads}, a window of {first} would see padding alone", node)
        rest = tuple(size - part + 1 for size, part in zip(kernel, first, strict=True))
        return Cascade(node, node.inputs[0], ((first[0], first[1]), (rest[0], rest[1])))

    def build(self, match: Cascade, rw: Rewriter) -> Tensor:
        """The pads go with the first, the strides with the second."""
        node, (first, rest) = match.node, match.windows
        inner = rw.op("MaxPool", match.x, kernel_shape=list(first), strides=[1, 1], pads=ops.pads(node))
        strides = ops.spatial(node, "strides", 2)
        return rw.op("MaxPool", inner, kernel_shape=list(rest), strides=strides, pads=[0, 0, 0, 0])


class AveragePoolCascade(Substitution[Cascade]):
    """``AveragePool<a * b, stride a * b>(x) -> AveragePool<b>(AveragePool<a>(x))``, where windows tile x."""

    name, roots = "average-pool-cascade", frozenset({"AveragePool"})
    cures = frozenset({"AveragePool.kernel_h", "AveragePool.kernel_w"})

    def match(self, node: Node, ctx: Context) -> Cascade:
        """Windows beside each other, without pads, whose sides have factors."""
        kernel, strides, pads = _window(node, ctx)
        if any(pads):
            raise Mismatch(f"pads by {pads}, every pad must be 0", node)
        if strides != kernel and not _is_one_window(node, kernel):
            raise Mismatch(f"windows of {kernel} every {strides} overlap, they must tile", node)
        halves = [_factors(size) for size in kernel]
        if all(part == size for (part, _), size in zip(halves, kernel, strict=True)):
            raise Mismatch(f"{kernel} has no factors", node)
        return Cascade(node, node.inputs[0], ((halves[0][0], halves[1][0]), (halves[0][1], halves[1][1])))

    def build(self, match: Cascade, rw: Rewriter) -> Tensor:
        """The smaller windows first."""
        value = match.x
        for window in match.windows:
            sides = list(window)
            value = rw.op("AveragePool", value, kernel_shape=sides, strides=sides, pads=[0, 0, 0, 0])
        return value


def _is_one_window(node: Node, kernel: list[int]) -> bool:
    shape = ops.static_shape(node.inputs[0])
    return shape is not None and list(shape[2:]) == kernel


def _factors(size: int) -> tuple[int, int]:
    """Two factors of ``size``, as equal as they can be, the larger one first."""
    small = max(n for n in range(1, int(size**0.5) + 1) if size % n == 0)
    return size // small, small
