"""Topological order that keeps the order there was, without recursion."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter

from surgery.errors import ModelError
from surgery.ir.graph import Graph, Node, Tensor


def sort(graph: Graph) -> bool:
    """Order the nodes of ``graph`` by their positions wherever dependencies leave a choice, and renumber them.

    Returns whether any node moved. Bodies are not entered; what they read from ``graph`` counts as read by the
    node that owns them. Raises ModelError naming a node of a cycle.
    """
    nodes = sorted(graph.nodes, key=_position)
    order = nodes if _in_order(nodes) else _by_dependencies(nodes)
    moved = any(a is not b for a, b in zip(graph.nodes, order, strict=True))
    graph.nodes = order
    for position, node in enumerate(order):
        if node.position != (position,):
            node.position = (position,)
    return moved


_position = attrgetter("position")


def _in_order(nodes: list[Node]) -> bool:
    """Whether every node comes after what it reads."""
    ahead = set(nodes)
    for node in nodes:
        for tensor in reads(node) if node.attrs else node.inputs:
            if tensor.inputs and tensor.inputs[0] in ahead:
                return False
        ahead.discard(node)
    return True


def _by_dependencies(nodes: list[Node]) -> list[Node]:
    """Of the nodes whose sources are all there, always the first."""
    waiting, readers = _edges(nodes, {id(node): i for i, node in enumerate(nodes)})
    ready = [i for i in range(len(nodes)) if not waiting[i]]  # in order, so it is a heap
    order: list[Node] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(nodes[i])
        for reader in readers[i]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        stuck = next(n for i, n in enumerate(nodes) if waiting[i])
        raise ModelError("takes part in a cycle", where=f"node {stuck.name!r} ({stuck.op})")
    return order


def _edges(nodes: list[Node], index: dict[int, int]) -> tuple[list[int], list[list[int]]]:
    """Per node, how many of ``nodes`` it waits for, and which of them wait for it."""
    waiting = [0] * len(nodes)
    readers: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        sources = {index[id(p)] for t in reads(node) if (p := t.producer) is not None and id(p) in index}
        waiting[i] = len(sources)
        for source in sources:
            readers[source].append(i)
    return waiting, readers


def reads(node: Node) -> Iterator[Tensor]:
    """Every tensor ``node`` needs: its inputs, and what its bodies read and return."""
    yield from node.inputs
    for body in node.bodies() if node.attrs else ():
        for graph in body.walk():
            yield from graph.outputs
            for inner in graph.nodes:
                yield from inner.inputs
