"""Convolutions whose weights are zero but for blocks along the diagonal: grouped ones, written out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from passes.linear.parts import Convolved, broken, convolved
from passes.linear.window import Array, convolution
from surgery.ir import Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


@dataclass(frozen=True)
class Blocks:
    """A convolution, and the one in more groups that computes the same."""

    node: Node
    conv: Convolved


class GroupBlocks(Rule[Blocks]):
    """``Conv(x, W)`` with zeros outside of blocks of channels becomes ``Conv<group>(x, blocks of W)``.

    ::

        y = Conv (x, W)                 W: outputs 0 to 31 read inputs 0 to 31 alone, 32 to 63 the others

        y = Conv <group = 2> (x, V)     V: half of the weights

    Groups of a 1x1 kernel are at least as wide as the arrays of the march: narrower ones compile to longer times than
    the dense layer (data/efficiency/groups.csv). Rounding: products with zero are left out.
    """

    name, roots = "group-blocks", frozenset({"Conv"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Blocks | Mismatch:
        """Constant weights with as many equal blocks as can be, and a convolution that the march takes."""
        window = convolution(node)
        least = _width(ctx) if set(window.taps) == {1} else 1
        parts = blocks(window.weight, window.group, least)
        if parts == 1:
            return Mismatch("its weights are not in blocks", node, absent=True)
        apart = replace(window, weight=diagonal(window.weight, window.group, parts), group=window.group * parts)
        conv = convolved(apart, node.inputs[0], node.outputs[0], node)
        if limit := broken(conv, node, ctx):
            return Mismatch(f"in {apart.group} groups it would break {limit}", node)
        return Blocks(node, conv)

    def rewrite(self, match: Blocks, rw: Rewriter) -> None:
        """The grouped convolution."""
        rw.replace(match.node, match.conv.build(rw, match.node))


def _width(ctx: Context) -> int:
    """Channels to whose multiples the march fills up its arrays."""
    return int(ctx.target.cost.get("align", {}).get("out_channels", 1)) if ctx.target is not None else 1


def blocks(weight: Array, group: int, least: int = 1) -> int:
    """The most parts of ``least`` channels or more into which every group falls, without a weight between them.

    Args:
        weight: (channels out, channels in / group, taps ...).
        group: groups that it has already.
        least: fewest channels of a part, in and out.
    """
    outs, ins = len(weight) // group, weight.shape[1]
    both = gcd(outs, ins)
    if both == 1 or weight[0, -1].any():
        return 1
    read = np.asarray(weight.reshape(group, outs, ins, -1).any(axis=(0, 3)))
    for parts in (n for n in range(both, 1, -1) if both % n == 0 and both // n >= least):
        among = np.asarray(read.reshape(parts, outs // parts, parts, ins // parts).any(axis=(1, 3)))
        if not among[~np.eye(parts, dtype=bool)].any():
            return parts
    return 1


def diagonal(weight: Array, group: int, parts: int) -> Array:
    """The weights of the blocks: (channels out, channels in / group / parts, taps ...)."""
    outs, ins = len(weight) // group // parts, weight.shape[1] // parts
    apart = weight.reshape(group, parts, outs, parts, ins, *weight.shape[2:])
    chosen = np.stack([apart[:, part, :, part] for part in range(parts)], axis=1)
    return chosen.reshape(len(weight), ins, *weight.shape[2:])
