"""What the toolchain fails on once a graph is placed: neighbours that it places so, and then cannot build.

Each function gives the names of nodes of one graph; the ``placed`` rules of march files say what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

from surgery.ir.graph import Constant, Node, Tensor
from surgery.target.folds import RESHAPES, Folds
from surgery.target.lookups import SHUFFLE
from surgery.target.passive import READ_BY_NOTHING, Neighbours
from surgery.target.rows import Row
from surgery.target.verdict import Verdict

_STRETCHING = frozenset({"Add", "Div", "Max", "Min", "Mul", "Sub"})
_JOINED = frozenset({"Clip", "Relu"})
"""Activations that a convolution takes up where something quantised reads them."""


def shared_roots(nodes: Mapping[Node, object], folds: Folds) -> tuple[str, ...]:
    """Computed Sqrt nodes that something is divided by, or whose reciprocal is taken, and which others read, too."""
    return tuple(n.name for n in nodes if n.op == "Sqrt" and n.is_onnx and folds.computed(n) and _is_shared_root(n))


def _is_shared_root(node: Node) -> bool:
    out = node.outputs[0]
    divides = (r.op == "Reciprocal" or (r.op == "Div" and r.inputs[1] is out) for r in out.outputs)
    return len(out.outputs) + _is_given(node) > 1 and any(divides)


def _is_given(node: Node) -> bool:
    return node.graph is not None and node.graph.is_output(node.outputs[0])


class Faults:
    """Of one graph, as its rows, folds and neighbours are.

    Args:
        rows: of all nodes; those of a Softmax that runs on the BPU unasked are put there.
        folds, neighbours, idle: of the same graph.
    """

    def __init__(self, rows: list[Row], folds: Folds, neighbours: Neighbours, idle: dict[Node, str]) -> None:
        self._rows, self._folds, self._neighbours, self._idle = rows, folds, neighbours, idle
        self._passive = neighbours.target.march.passive

    def found(self) -> dict[str, tuple[str, ...]]:
        """Names of the nodes by the fact."""
        forked, looped = self._softmaxes()
        stranded = (row.node.name for row in self._rows if row.device == "bpu" and self._is_stranded(row.node))
        sloped = (node.name for node in self._idle if self._is_sloped(node))
        return {"stranded": tuple(stranded), "sloped": tuple(sloped), "looped": looped, "forked": forked}

    def _is_stranded(self, node: Node) -> bool:
        """Whether all that reads the node takes it along to the CPU, where it cannot be."""
        if self._folds.lookups.get(node, SHUFFLE) != SHUFFLE:
            readers = node.outputs[0].outputs
            return bool(readers) and not _is_given(node) and all(map(self._neighbours.takes_along, readers))
        return node in self._neighbours.split and self._is_taken(node, node)

    def _is_taken(self, node: Node, host: Node) -> bool:
        """Whether lookups that wait in vain are all that reads ``node``; one alone may through what carries on."""
        readers = node.outputs[0].outputs
        if _is_given(node) or not readers:
            return False
        if len(readers) > 1:
            return all(map(self._neighbours.takes_along, readers))
        return self._takes(readers[0], node, host)

    def _takes(self, reader: Node, node: Node, host: Node) -> bool:
        if self._neighbours.takes_along(reader):
            return True
        if reader in self._folds.into and self._folds.home(reader) is host:
            return self._is_taken(reader, host)
        if reader.op in _JOINED and self._folds.home(node) is host:
            return reader in self._neighbours.joined
        return self._neighbours.carries(reader) and self._is_taken(reader, host)

    def _is_sloped(self, node: Node) -> bool:
        """Whether it is left on the CPU and reads something quantised there, or is one with a lookup that waits."""
        if node.op not in self._passive.sloped:
            return False
        waits = self._idle[node] == READ_BY_NOTHING
        maker = node.inputs[0].producer
        made = maker is None or self._neighbours.verdicts[maker].device != "cpu" or maker.op in self._passive.handing
        return node in self._neighbours.joined or (waits and made and self._is_quantised(node.inputs[0]))

    def _is_quantised(self, tensor: Tensor) -> bool:
        return self._neighbours.is_quantised(tensor, self._idle, self._folds)

    def _softmaxes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Put those of quantised values on the BPU; which of them have a value with others, and which read on to it."""
        devices = {row.node: row.device for row in self._rows}
        those = [row for row in self._rows if row.device == "cpu" and self._runs_unasked(row.node)]
        forked = tuple(row.node.name for row in those if self._is_forked(row.node, devices))
        looped = tuple(row.node.name for row in those if self._is_looped(row.node, devices))
        for row in those:
            row.device, row.verdict = "bpu", Verdict("bpu")
        return forked, looped

    def _runs_unasked(self, node: Node) -> bool:
        target = self._neighbours.target
        if node not in self._neighbours.unasked or target.said(node) is not None:
            return False
        maker = node.inputs[0].producer
        moved = maker is not None and maker.op in target.march.cuts
        return not moved and self._is_quantised(node.inputs[0])

    def _is_looped(self, node: Node, devices: Mapping[Node, str]) -> bool:
        """Whether a sum reads the result, or something on the BPU that does not take floats."""
        readers = [reader for reader in node.outputs[0].outputs if reader.op not in self._passive.deaf]
        summed = any(reader.op in self._passive.summing for reader in readers)
        return summed or any(devices.get(self._folds.home(reader)) == "bpu" for reader in readers)

    def _is_forked(self, node: Node, devices: Mapping[Node, str]) -> bool:
        data = node.inputs[0]
        others = [reader for reader in data.outputs if reader is not node]
        if any(reader in self._neighbours.unasked for reader in others):
            return True
        made = data.producer is not None and devices.get(self._folds.home(data.producer)) == "bpu"
        return not made and any(devices.get(self._folds.home(reader)) == "bpu" for reader in others)


def turned(rows: Iterable[Row], folds: Folds) -> tuple[str, ...]:
    """Nodes whose result a segment gives out beside others, to a Transpose and to an operator of the CPU alone.

    ``rows`` are numbered by segment.
    """
    found = {row.node: row for row in rows}
    given: dict[int, list[Node]] = {}
    for row in found.values():
        if row.segment is not None and _leaves(row, found, folds):
            given.setdefault(row.segment, []).append(row.node)
    several = (node for nodes in given.values() if len(nodes) > 1 for node in nodes)
    return tuple(node.name for node in several if _is_turned(node, found, folds))


def _results(node: Node, folds: Folds) -> Iterator[Tensor]:
    """What a survivor hands to others."""
    yield from node.outputs
    yield from (tensor for part in folds.parts(node) for tensor in part.outputs)


def _leaves(row: Row, found: Mapping[Node, Row], folds: Folds) -> bool:
    for tensor in _results(row.node, folds):
        if row.node.graph is not None and row.node.graph.is_output(tensor):
            return True
        readers = (found.get(folds.home(reader)) for reader in tensor.outputs)  # None in a body
        if any(reader is None or (reader is not row and reader.segment != row.segment) for reader in readers):
            return True
    return False


def _reads_alone(node: Node, folds: Folds) -> bool:
    """Whether it has one operand, numbers aside: none says in which layout the other is."""
    stretched = node.op in _STRETCHING and any(isinstance(t, Constant) and prod(t.shape) > 1 for t in node.inputs)
    return len(folds.computed(node)) == 1 and not stretched


def _is_turned(node: Node, found: Mapping[Node, Row], folds: Folds) -> bool:
    for tensor in _results(node, folds):
        readers = [reader for reader in tensor.outputs if tensor.rank == 4]
        moved = [reader for reader in readers if reader.op == "Transpose"]
        alone = (
            found[folds.home(reader)].device == "cpu" and _reads_alone(reader, folds)
            for reader in readers
            if folds.home(reader) in found and reader.op != "Transpose" and reader.op not in RESHAPES
        )
        if moved and any(alone):
            return True
    return False
