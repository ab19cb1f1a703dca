"""On which side a node is counted, and how many BPU segments that makes.

Where the public limits do not decide (``unknown``), or the toolchain refuses what a rewrite may cure (``refused``),
the time is that of the BPU, marked as assumed: the question the estimate answers is what the model costs once it
is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

from surgery.ir.graph import Node

Devices: TypeAlias = Callable[[Node], str]
ON_BPU = frozenset({"bpu", "unknown", "refused"})


def segments(nodes: Collection[Node], device: Devices, placed: int) -> int:
    """Number of BPU segments: ``placed`` where every node has a side, fewer where undecided nodes join them."""
    sides = [device(node) for node in nodes]
    if "unknown" not in sides and "refused" not in sides:
        return placed
    joined = _components([n for n, side in zip(nodes, sides, strict=True) if side in ON_BPU | {"folded"}])
    return min(joined, placed) if placed else min(joined, 1)


def _components(nodes: Iterable[Node]) -> int:
    left = set(nodes)
    count = 0
    while left:
        count += 1
        stack = [left.pop()]
        while stack:
            for near in _neighbours(stack.pop()):
                if near in left:
                    left.remove(near)
                    stack.append(near)
    return count


def _neighbours(node: Node) -> Iterable[Node]:
    for tensor in node.inputs:
        if tensor.producer is not None:
            yield tensor.producer
    for tensor in node.outputs:
        yield from tensor.outputs
