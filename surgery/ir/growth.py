"""Which foldable nodes can be folded so that constants take at most so many bytes more than before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from surgery.ir.graph import Constant, Graph, Node

Group: TypeAlias = "dict[Node, None]"
"""Connected nodes, as an ordered set."""


class Growth:
    """Chooses nodes by connected group, least growth first.

    From a group that does not fit, the nodes that would be stored largest are left out until it does.

    Args:
        sizes: bytes of the outputs of nodes that read only constants and nodes before them, in topological order.
        main: their graph.
        budget: bytes that may be stored beyond those that are freed.

    Attributes:
        kept: the nodes to fold.
        charges: by the node of a group that is stored largest, the bytes by which the group grows the model.
        refusals: what was left out, with the reason.
    """

    def __init__(self, sizes: Mapping[Node, int], main: Graph, budget: int) -> None:
        self.kept: set[Node] = set()
        self.charges: dict[Node, int] = {}
        self.refusals: dict[Node, str] = {}
        self._sizes, self._main, self._left = sizes, main, budget
        for group in sorted(_groups(sizes), key=self._growth):
            self._trim(group)
            self._keep(group)

    def _trim(self, group: Group) -> None:
        while group and (growth := self._growth(group)) > self._left:
            largest = self._largest(group)
            self.refusals[largest] = f"storing it would add {growth} bytes, {max(0, self._left)} are left"
            del group[largest]

    def _keep(self, group: Group) -> None:
        growth = self._growth(group)
        if group and growth > 0:
            self.charges[self._largest(group)] = growth
            self._left -= growth
        self.kept |= group.keys()

    def _largest(self, group: Group) -> Node:
        return max(_stored(group), key=lambda n: self._sizes[n])

    def _growth(self, group: Group) -> int:
        """Bytes stored when ``group`` is folded, less those of the constants that nothing else reads."""
        read = {t for n in group for t in n.inputs if isinstance(t, Constant)}
        freed = sum(c.nbytes for c in read if all(n in group for n in c.outputs) and not self._main.returned_by(c))
        return sum(self._sizes[n] for n in _stored(group)) - freed


def _groups(nodes: Iterable[Node]) -> list[Group]:
    """``nodes`` by connected component."""
    found: dict[Node, Group] = {}
    for node in nodes:
        group: Group = {node: None}
        for source in (p for t in node.inputs if (p := t.producer) in found):
            other = found[source]
            if other is not group:
                small, group = sorted((group, other), key=len)
                group.update(small)
                found.update((n, group) for n in small)
        found[node] = group
    return list({id(g): g for g in found.values()}.values())


def _stored(group: Collection[Node]) -> list[Node]:
    """The nodes of ``group`` that others read."""
    return [n for n in group if any(reader not in group for v in n.outputs for reader in v.outputs)]
