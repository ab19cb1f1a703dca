"""The table of nodes as the vendor's checker prints it, with the limit that a node breaks and what cures it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from surgery.report.check import NodeRow, Violation
from surgery.report.text import amount
from surgery.report.view.content import Cell, Table, Tone, code, table

DEVICES: dict[str, Tone] = {"bpu": "good", "folded": "muted", "cpu": "warn", "refused": "bad", "unknown": "warn"}
"""Every device with its tone, in the order they are shown."""

_TITLES = {"bpu": "BPU", "cpu": "CPU"}
_WORST = ("refused", "cpu", "unknown", "bpu", "folded")
_ORDERS: dict[str, Callable[[NodeRow], Any]] = {
    "name": lambda row: row.name,
    "op": lambda row: row.op,
    "device": lambda row: _WORST.index(row.device),
    "macs": lambda row: -row.macs,
}


@dataclass(frozen=True)
class Listing:
    """Which nodes a table shows, and in which order.

    Attributes:
        only: the devices whose nodes are shown; all when empty.
        by: ``graph`` (as they are in the model), ``name``, ``op``, ``device`` (the worst first) or ``macs`` (the most
            first); what is equal stays in the order of the graph.
    """

    only: frozenset[str] = frozenset()
    by: str = "graph"

    @property
    def asked(self) -> bool:
        """Whether anything but all nodes in their order was asked for."""
        return bool(self.only) or self.by != "graph"

    @property
    def title(self) -> str:
        """What the table is called."""
        shown = [device for device in DEVICES if device in self.only]
        return f"Node by node: {', '.join(shown)} only" if shown else "Node by node"

    def rows(self, nodes: Iterable[NodeRow]) -> list[NodeRow]:
        """The nodes that are shown, in their order."""
        chosen = [row for row in nodes if not self.only or row.device in self.only]
        return chosen if self.by == "graph" else sorted(chosen, key=_ORDERS[self.by])


def node_table(rows: Sequence[NodeRow]) -> Table:
    """One row per node; a page that can do so filters and sorts it."""
    head = "Node|=ON|Subgraph|Type|#MACs|Limit broken|Cured by|Note"
    return replace(table(head, map(_row, rows)), live=True)


def _row(row: NodeRow) -> list[Cell | str]:
    return [
        code(row.name),
        Cell(_TITLES.get(row.device, row.device), DEVICES[row.device]),
        "" if row.segment is None else f"id({row.segment})",
        code(row.op),
        Cell(amount(row.macs) if row.macs else "", key=row.macs),
        "; ".join(map(str, row.violations)),
        _cures(row.violations),
        row.note,
    ]


def _cures(broken: Sequence[Violation]) -> Cell:
    """The passes for these limits, and for which of them there is none."""
    names = list(dict.fromkeys(name for v in broken for name in v.cured_by))
    without = [v.constraint for v in broken if not v.cured_by]
    if not names:
        return Cell("no pass" if without else "", "muted")
    return code(", ".join(names) + (f" (no pass for {', '.join(without)})" if without else ""), "good")
