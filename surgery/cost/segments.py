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
    if not _is_undecided(nodes, device):
        return placed
    joined = len(set(_components(nodes, device).values()))
    return min(joined, placed) if placed else min(joined, 1)


def numbers(nodes: Collection[Node], device: Devices, placed: Callable[[Node], int | None]) -> dict[Node, int]:
    """The segment of every node on the BPU, of as many as :func:`segments` counts.

    As ``placed`` where every node has a side; else undecided nodes are one segment with what they join, or, where that
    would make more segments, of the one that feeds them.
    """
    ours = [node for node in nodes if device(node) in ON_BPU]
    known = {node: number for node in ours if (number := placed(node)) is not None}
    if not _is_undecided(nodes, device):
        return known
    joined = _components(nodes, device)
    if len(set(joined.values())) <= len(set(known.values())):
        return {node: joined[node] for node in ours}
    found: dict[Node, int] = {}
    for node in ours:
        near = (found[t.producer] for t in node.inputs if t.producer in found)
        found[node] = known[node] if node in known else next(near, 0)
    return found


def _is_undecided(nodes: Iterable[Node], device: Devices) -> bool:
    return any(device(node) in ("unknown", "refused") for node in nodes)


def _components(nodes: Iterable[Node], device: Devices) -> dict[Node, int]:
    """Nodes on the BPU or folded, by the number of what they are connected with, in the order of the graph."""
    left = dict.fromkeys(node for node in nodes if device(node) in ON_BPU | {"folded"})
    found: dict[Node, int] = {}
    number = -1
    while left:
        number, stack = number + 1, [next(iter(left))]
        while stack:
            node = stack.pop()
            if node in left:
                del left[node]
                found[node] = number
                stack += _neighbours(node)
    return found


def _neighbours(node: Node) -> Iterable[Node]:
    for tensor in node.inputs:
        if tensor.producer is not None:
            yield tensor.producer
    for tensor in node.outputs:
        yield from tensor.outputs
