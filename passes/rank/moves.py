"""Permutations of elements written as what the hardware does well: convolutions by 0 and 1, or fewer moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.rank.axes import Grid, block_order, blocks_first, channel_order, inverted
from passes.rank.site import MOVES, Site, site
from passes.rank.sizes import fits
from passes.rank.tokens import parts_places
from surgery.ir import Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

Array = np.ndarray[Any, Any]
MOVED = frozenset(
    {"Transpose.device", "Transpose.rank", "DepthToSpace.blocksize", "DepthToSpace.channels", "SpaceToDepth.blocksize"}
)
"""Limits by which a march keeps moves off the BPU."""


@dataclass(frozen=True)
class Ordered:
    """A chain, the channels in their new order, and the side of blocks (1 for none)."""

    site: Site
    order: tuple[int, ...]
    block: int = 1


class OrderChannels(Rule[Ordered]):
    """``Reshape, Transpose, Reshape`` that reorder channels of NxCxHxW ``-> Conv``: 1x1, of one 1 per row.

    Rounding: every result is one element times 1 plus others times 0, which makes NaN of an infinity beside it.
    The witness on bayes-e at O2, 64x16x16: a shuffle of rank 5 adds 17 us to two convolutions, one of rank 4, which the
    vendor's optimiser does not know, 51, this 3.
    """

    name, roots = "order-channels", MOVES
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Ordered:
        """A chain that moves whole channels."""
        found = _floats(node, ctx)
        order = channel_order(found.move, found.grid) if found.before == found.after else None
        if order is None:
            raise Mismatch(f"makes {list(found.after)} of {list(found.before)}, whole channels must move", node)
        fits(len(order) ** 2, found.source, node, ctx)
        return Ordered(found, inverted(order))

    def rewrite(self, match: Ordered, rw: Rewriter) -> None:
        """One convolution."""
        rw.replace(match.site.last, _convolved(rw, "Conv", match))


class FillBlocks(Rule[Ordered]):
    """Pixel shuffles, in any order of channels, ``-> ConvTranspose``: kernel and stride the block, of ones and zeros.

    Rounding, as :class:`OrderChannels`. The witness on bayes-e at O2, 16x16: DepthToSpace of blocks of 2, 3, 4
    adds 50, 419 and 1189 us to two convolutions, this 33, 114 and 187.
    """

    name, roots = "fill-blocks", MOVES
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Ordered:
        """A chain that spreads channels over blocks of pixels."""
        found = _floats(node, ctx)
        block = _blocks(found.grid, found.result)
        order = None if block is None else block_order(found.move, found.grid, block)
        if block is None or order is None:
            raise Mismatch(f"makes {list(found.after)} of {list(found.before)}, channels must fill blocks", node)
        fits(kernels(order, block)[0].size, found.source, node, ctx)
        return Ordered(found, order, block)

    def rewrite(self, match: Ordered, rw: Rewriter) -> None:
        """One transposed convolution."""
        rw.replace(match.site.last, _convolved(rw, "ConvTranspose", match))


class GatherBlocks(Rule[Ordered]):
    """Pixel unshuffles, in any order of channels, ``-> Conv``: kernel and stride the block, of ones and zeros.

    Rounding, as :class:`OrderChannels`. The witness on bayes-e at O2, 64x16x16 in blocks of 2: the six axes of
    PyTorch's pixel_unshuffle add 617 us to two convolutions, SpaceToDepth adds 16, this 4.
    """

    name, roots = "gather-blocks", MOVES
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Ordered:
        """A chain that gathers blocks of pixels into channels."""
        found = _floats(node, ctx)
        block = _blocks(found.result, found.grid)
        order = None if block is None else block_order(found.move.inverse, found.result, block)
        if block is None or order is None:
            raise Mismatch(f"makes {list(found.after)} of {list(found.before)}, blocks must become channels", node)
        fits(kernels(order, block)[0].size, found.source, node, ctx)
        return Ordered(found, order, block)

    def rewrite(self, match: Ordered, rw: Rewriter) -> None:
        """One convolution."""
        rw.replace(match.site.last, _convolved(rw, "Conv", match))


class LegaliseOrder(OrderChannels):
    """The same where the march has no kernel for what moves the channels."""

    name, purpose, cures = "legalise-order", Purpose.LEGALISE, MOVED


class LegaliseFilling(FillBlocks):
    """The same where the march has no kernel for what fills the blocks."""

    name, purpose, cures = "legalise-filling", Purpose.LEGALISE, MOVED


class LegaliseGathering(GatherBlocks):
    """The same where the march has no kernel for what gathers the blocks."""

    name, purpose, cures = "legalise-gathering", Purpose.LEGALISE, MOVED


class AsBlocks(Rule[Site]):
    """``Reshape, Transpose, Reshape`` of a pixel shuffle or unshuffle ``-> DepthToSpace`` or ``SpaceToDepth``.

    Exact: elements only move.
    """

    name, roots, cures = "as-blocks", frozenset({"Transpose"}), MOVED
    purpose, exactness = Purpose.ACCELERATE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Site:
        """A chain that one of the two operators does."""
        found = _floats(node, ctx)
        named(found)
        return found

    def rewrite(self, match: Site, rw: Rewriter) -> None:
        """The operator; a mode is only stated where it is not the first there was."""
        op, block, mode = named(match)
        rw.replace(match.last, rw.op(op, match.source, blocksize=block, mode=mode))


class CollapseMoves(Rule[Site]):
    """Several Transposes with reshapes in between ``-> `` one, of as few axes as it takes, or none.

    Exact: elements only move.
    """

    name, roots = "collapse-moves", MOVES
    purpose, exactness = Purpose.ACCELERATE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Site:
        """Two moves or more."""
        found = site(node, ctx)
        if found.moves < 2:
            raise Mismatch("one node moves the elements, there must be two to merge", node)
        if found.move.is_identity and parts_places(found.before, found.after):
            raise Mismatch("parts rows that lie across, which one Reshape does more slowly", node)
        return found

    def rewrite(self, match: Site, rw: Rewriter) -> None:
        """A Transpose between Reshapes, each where it is needed."""
        value, made = match.source, match.before
        if not match.move.is_identity:
            shape, perm = turned(match)
            shaped = value if match.before == shape else build.reshape(rw, value, shape)
            value, made = build.transpose(rw, shaped, perm), tuple(shape[p] for p in perm)
        rw.replace(match.last, value if made == match.after else build.reshape(rw, value, match.after))


def turned(found: Site) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and order of the one Transpose: of few axes, with others of size 1 where it then ends the chain."""
    shape, perm = found.move.shape, found.move.perm
    ones, sizes = found.after.count(1), [shape[p] for p in perm]
    if found.before == shape or 1 in shape or len(found.after) > 4 or [s for s in found.after if s != 1] != sizes:
        return shape, perm
    first, others = iter(range(ones)), iter(p + ones for p in perm)
    return (1,) * ones + shape, tuple(next(first if size == 1 else others) for size in found.after)


def named(found: Site) -> tuple[str, int, str | None]:
    """The block operator that does what a chain does, its block and its mode; Mismatch where none does."""
    if (block := _blocks(found.grid, found.result)) is not None:
        order = block_order(found.move, found.grid, block)
        modes = {tuple(range(found.grid[1])): "CRD", blocks_first(found.grid[1], block): None}
        if order in modes:
            return "DepthToSpace", block, modes[order]
    elif (block := _blocks(found.result, found.grid)) is not None:
        order = block_order(found.move.inverse, found.result, block)
        if order == blocks_first(found.result[1], block):
            return "SpaceToDepth", block, None
    raise Mismatch(f"makes {list(found.after)} of {list(found.before)}, no block operator does that", found.node)


def _floats(node: Node, ctx: Context) -> Site:
    """The chain at ``node``, of floats; it has to move something."""
    need.dtype(node.inputs[0], node)
    found = site(node, ctx)
    if found.move.is_identity:
        raise Mismatch("every element stays where it is, some must move", node)
    return found


def _blocks(small: Grid, large: Grid) -> int | None:
    """The side of the blocks by which ``large`` is higher and wider than ``small``; None where it is not so."""
    block = large[2] // small[2]
    grown = (small[0], small[1] // max(1, block) ** 2, small[2] * block, small[3] * block)
    return block if block > 1 and grown == large else None


def kernels(order: tuple[int, ...], block: int) -> tuple[Array, int]:
    """Weights, CxC/blockxblockxblock, that pass channel ``order[i]`` on to place i of the blocks; and their groups.

    Where every channel stays among those of its own block, the weights are grouped, Cx1xblockxblock.
    """
    places, area = np.asarray(order), block**2
    here = np.arange(len(order))
    if np.array_equal(places // area, here // area) and block > 1:
        weight = np.zeros((len(order), area), np.float32)
        weight[places, here % area] = 1
        return weight.reshape(-1, 1, block, block), len(order) // area
    weight = np.zeros((len(order), len(order)), np.float32)
    weight[places, here] = 1
    return weight.reshape(len(order), -1, block, block), 1


def _convolved(rw: Rewriter, op: str, match: Ordered) -> Tensor:
    """The source through weights of one 1 each, the kernel as large as the stride."""
    x, side = match.site.source, [match.block] * 2
    weight, group = kernels(match.order, match.block)
    attrs: dict[str, Any] = {
        "dilations": [1, 1],
        "group": group,
        "kernel_shape": side,
        "pads": [0] * 4,
        "strides": side,
    }
    return rw.op(op, x, rw.constant(weight, like=x), **attrs)
