"""Placement of a whole model: which node runs where, what is folded away, and the numbered BPU segments.

Follows the toolchain: active operators are quantised; passive ones run on the BPU only beside something quantised
(see :mod:`surgery.target.passive`); what lies between two CPU nodes is a segment of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from surgery.ir.graph import Constant, Dim, Graph, Node
from surgery.target.apart import taken_apart
from surgery.target.faults import Faults, shared_roots, turned
from surgery.target.folds import RESHAPES, Folds, find_folds
from surgery.target.lookups import SHUFFLE
from surgery.target.march import Op
from surgery.target.numbering import edges, number_segments
from surgery.target.params import macs
from surgery.target.passive import READ_BY_NOTHING, Neighbours
from surgery.target.recurrent import steps_apart
from surgery.target.rows import CUT, LAYOUT, MOVED, Row
from surgery.target.sinking import sunk
from surgery.target.sums import unsorted_sums
from surgery.target.target import Target
from surgery.target.twin import Twin
from surgery.target.verdict import Device, Refusal, Verdict

if TYPE_CHECKING:
    from surgery.ir import Model

_FOLDED = Verdict("folded")
_ON_CPU = Op(device="cpu")
OUTPUT_LAYOUT = "output-layout"
"""The fusion, in the data of a march, of a Reshape with the change of layout in front of an output."""
OUTPUT_INTEGERS = "output-integers"
"""That of the QuantizeLinear of an output with a product by a constant: the Reshape of its result is behind both."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a placement; ``mac_coverage`` is the share of multiply-accumulates on the BPU, 0..1."""

    nodes: int
    bpu: int
    cpu: int
    folded: int
    refused: int
    unknown: int
    segments: int
    macs: int
    mac_coverage: float | None

    def as_dict(self) -> dict[str, int | float | None]:
        """The same as a plain mapping."""
        return asdict(self)


class Placement:
    """The rows of a model on a target, main graph first, then bodies; made by :func:`place`.

    Attributes:
        rows: every node of the model.
        live: those whose graph was placed; ``gone`` are others that were there before, with the work that each was.
        inserted: numbers of the segments that nodes of the toolchain's own are in.
    """

    def __init__(
        self,
        target: Target,
        rows: list[Row],
        refusals: list[Refusal],
        folds: Folds,
        gone: Mapping[Node, int] | None = None,
        inserted: AbstractSet[int] = frozenset(),
    ) -> None:
        self.target, self.live, self.refusals, self.folds, self.inserted = target, rows, refusals, folds, inserted
        self._gone = gone or {}
        self.rows = [*rows, *map(_gone, self._gone)]
        self._by_node = {row.node: row for row in self.rows}

    @property
    def accepted(self) -> bool:
        """Whether the toolchain takes the model: no rule about models broken, no node refused."""
        return not self.refusals and all(row.device != "refused" for row in self.rows)

    @property
    def segments(self) -> int:
        """Number of BPU segments."""
        return len({row.segment for row in self.rows if row.segment is not None} | self.inserted)

    def row(self, node: Node) -> Row:
        """The row of a node; KeyError for a node of another model."""
        return self._by_node[node]

    def device(self, node: Node) -> Device:
        """Where a node runs."""
        return self._by_node[node].device

    def host(self, row: Row) -> Device | None:
        """The device of the node that a folded one goes into; None for others."""
        return None if row.into is None else self._by_node[row.into].device

    def borders(self) -> list[tuple[Row, Row]]:
        """Producer and consumer of every value that crosses between the BPU and another device, in order."""
        rows, crossing = self._by_node, {}
        for maker, reader in edges(self.rows, self.folds):
            if isinstance(maker, Node) and maker in rows and reader in rows:
                before, after = rows[maker], rows[reader]
                devices = {before.device, after.device}
                if "bpu" in devices and len(devices) == 2 and "folded" not in devices:
                    crossing[maker, reader] = (before, after)
        return list(crossing.values())

    def summary(self) -> Summary:
        """Counts by device, segments, and the work on the BPU, as the model was when this was asked first."""
        return self._summary

    def counts(self) -> dict[str, int]:
        """Nodes in all and by device, and segments."""
        count = Counter(row.device for row in self.rows)
        devices: tuple[Device, ...] = ("bpu", "cpu", "folded", "refused", "unknown")
        return {"nodes": len(self.rows), **{name: count[name] for name in devices}, "segments": self.segments}

    @cached_property
    def macs(self) -> dict[Node, int]:
        """The multiply-accumulates of every node, as the model was when this was asked first."""
        return {**{row.node: macs(row.node) for row in self.live}, **self._gone}

    @cached_property
    def _summary(self) -> Summary:
        total = sum(self.macs.values())
        on_bpu = sum(self.macs[row.node] for row in self.rows if row.device == "bpu")
        return Summary(**self.counts(), macs=total, mac_coverage=on_bpu / total if total else None)


def _gone(node: Node) -> Row:
    return Row(node, "folded", None, _FOLDED, "computed by the converter")


def place(model: Model, target: Target) -> Placement:
    """Where every node of ``model`` runs on ``target``."""
    rows, folds, inserted, faults = _place_main(model.graph, target, model.opset)
    for graph in list(model.graph.walk())[1:]:
        _place_body(graph, target, model.opset, rows)
    placement = Placement(target, rows, target.refusals(model), folds, inserted=inserted)
    devices = {row.node: row.device for row in rows}
    faults |= {"unsorted_sums": unsorted_sums(devices, folds), "shared_roots": shared_roots(devices, folds)}
    placement.refusals += target.refusals_once_placed({**placement.counts(), **faults})
    return placement


_Facts: TypeAlias = "dict[str, tuple[str, ...]]"


def _place_main(graph: Graph, target: Target, opset: int) -> tuple[list[Row], Folds, frozenset[int], _Facts]:
    """The rows of the main graph, placed as the toolchain has it once it has moved what only moves elements.

    The third are the segments of the nodes that it inserts on the way, the last names of what it fails on.
    """
    twin = sunk(graph, target.march.sinking, opset) or taken_apart(graph, target, opset)
    rows, folds, apart, faults = _place_graph(twin or Twin(graph), target, opset)
    number_segments(rows, folds, apart)
    faults["turned"] = turned(rows, folds)
    on_bpu = {row.node for row in rows if row.device == "bpu"} if target.fuses(OUTPUT_INTEGERS) else set()
    integers = sum(_gives_integers(row, folds) in on_bpu for row in rows)
    own = _unused(rows, integers + _steps(rows, target))
    if twin is None:
        return rows, folds, own, faults
    inserted = (row.segment for row in rows if row.node not in twin.own and row.segment is not None)
    return *_as_of(graph, twin, rows, folds), frozenset(inserted) | own, faults


def _gives_integers(row: Row, folds: Folds) -> Node | None:
    """The product by a constant that it alone reads, and makes integers of that the graph gives out.

    What moves the product's result to its shape then reads integers, and is a segment of its own.
    """
    data = row.node.inputs[0] if row.node.op == "QuantizeLinear" and row.device == "cpu" else None
    if data is None or row.node.outputs[0].outputs or len(data.outputs) != 1:
        return None
    maker = data.producer
    product = maker is not None and maker.op in ("Gemm", "MatMul") and folds.is_constant(maker.inputs[1])
    return maker if product else None


def _steps(rows: list[Row], target: Target) -> int:
    """Into how many segments recurrent operators of the CPU are taken apart."""
    unrolled = (row.node for row in rows if row.device == "cpu" and row.node.op in target.march.unrolled)
    return sum(map(steps_apart, unrolled))


def _unused(rows: list[Row], count: int) -> frozenset[int]:
    """Numbers of so many segments without a row."""
    used = 1 + max((row.segment for row in rows if row.segment is not None), default=-1)
    return frozenset(range(used, used + count))


def _as_of(graph: Graph, twin: Twin, rows: list[Row], folds: Folds) -> tuple[list[Row], Folds]:
    """The rows and folds of a twin as those of ``graph``; a node that has none there is moved behind others."""
    own = twin.own
    found = {own[row.node]: row for row in rows if row.node in own}
    names = {tensor.name for tensor in folds.constants}
    same = Folds(
        {own[node]: own.get(host, own[node]) for node, host in folds.into.items() if node in own},
        {tensor for node in graph.nodes for tensor in node.outputs if tensor.name in names},
        {own[node] for node in folds.activated if node in own},
        {own[node] for node in folds.summed if node in own},
        {own[node]: name for node, name in folds.lookups.items() if node in own},
    )
    for node in graph.nodes:
        if node not in found:
            same.drop(node, node.inputs[0].producer)
            found[node] = Row(node, "folded", None, _FOLDED, MOVED, twin.merged.get(node))
            continue
        row = found[node]
        found[node] = replace(row, node=node, into=None if row.into is None else own.get(row.into))
    return [found[node] for node in graph.nodes], same


def _place_graph(twin: Twin, target: Target, opset: int) -> tuple[list[Row], Folds, set[Node], _Facts]:
    """The rows, what is folded, the nodes on the BPU that are no segment with others, and what is failed on."""
    graph = twin.graph
    free = {node: _verdict_of_own(node, twin) for node in twin.free}
    verdicts = {node: free.get(node) or target.verdict(node, opset) for node in graph.nodes}
    neighbours = Neighbours(graph, target, verdicts, opset)
    folds = find_folds(graph, target, neighbours.pulled)
    idle = neighbours.idle(graph.nodes, folds)
    for node in idle:
        if folds.lookups.get(node) == SHUFFLE:
            folds.take_apart(node)
    rows = [_row(node, verdicts[node], target, folds, idle.get(node)) for node in graph.nodes]
    _refuse_parts(rows, twin)
    _keep_cuts(rows, folds, neighbours.along)
    if target.march.cuts:
        _drop_layouts(rows, folds, _takes_thin, neighbours.planar)
    elif target.fuses(OUTPUT_LAYOUT):
        _drop_layouts(rows, folds, _gives_pooled, neighbours.planar)
    apart = neighbours.apart(folds, {row.node: row.device for row in rows})
    _join_pieces(rows, folds, neighbours, apart)
    faults = Faults(rows, folds, neighbours, idle).found()
    return rows, folds, apart, faults


def _keep_cuts(rows: list[Row], folds: Folds, along: AbstractSet[Node]) -> None:
    """A movement between two segments is one on the CPU where only that reads it, unless it went ``along``."""
    found = {row.node: row for row in rows}
    for row in reversed(rows):
        if row.note != CUT or row.node.op != "Transpose" or row.node in along:
            continue
        readers = [found[folds.home(reader)] for reader in row.node.outputs[0].outputs]
        if readers and all(reader.device == "cpu" for reader in readers):
            row.device, row.verdict, row.note = "cpu", Verdict("bpu"), READ_BY_NOTHING


def _join_pieces(rows: list[Row], folds: Folds, neighbours: Neighbours, apart: set[Node]) -> None:
    """A movement to channels first behind a piece of floats is none: the piece has channels last, as others have."""
    for row in rows:
        piece = row.node.inputs[0].producer if row.note == CUT and neighbours.is_to_channels(row.node) else None
        if piece is None or piece not in apart - neighbours.planar:
            continue
        folds.drop(row.node, piece)
        row.note, row.into = f"into {piece.name}", piece
        while piece in apart - neighbours.planar:
            apart.discard(piece)
            piece = piece.inputs[0].producer


def _verdict_of_own(node: Node, twin: Twin) -> Verdict:
    """Of a node of the toolchain's own: limits of the compiler alone hold."""
    violation = twin.failing.get(node)
    return Verdict("bpu") if violation is None else Verdict("refused", (violation,), spared=True)


def _refuse_parts(rows: Sequence[Row], twin: Twin) -> None:
    """Refuse the node for whose sake one of the toolchain's own is on the BPU that the compiler fails on there."""
    found = {row.node: row for row in rows}
    for row in rows:
        if row.node in twin.failing and row.device == "refused":
            row.device = "bpu"
            found[twin.free[row.node]].device, found[twin.free[row.node]].verdict = "refused", row.verdict


def _row(node: Node, verdict: Verdict, target: Target, folds: Folds, idle: str | None) -> Row:
    if (word := target.said(node)) is not None:
        return Row(node, word.device, None, verdict, "as in the vendor's log")
    if node in folds.into:
        home = folds.home(node)
        if home is node:
            return Row(node, "folded", None, _FOLDED, "constant or dropped")
        return Row(node, "folded", None, _FOLDED, f"into {home.name}", home)
    if idle is not None:
        return Row(node, "cpu", None, Verdict("bpu", (), verdict.reasons), idle)
    if node in folds.lookups:
        return Row(node, "bpu", None, Verdict("bpu"), f"one node ({folds.lookups[node]})")
    if (verdict.device == "bpu" and node.op in target.march.cuts) or _joins_layout(node, target):
        return Row(node, "folded", None, _FOLDED, CUT)
    return Row(node, verdict.device, None, verdict)


def _joins_layout(node: Node, target: Target) -> bool:
    """Whether a Reshape between a map of one pixel and a map of one channel is one with the change of layout there.

    A product by a constant reads a row as a map of one pixel.
    """
    if not target.march.cuts or node.op not in RESHAPES:
        return False
    before, after = (tensor.shape or () for tensor in (node.inputs[0], node.outputs[0]))
    readers = node.outputs[0].outputs
    if len(after) == 2:
        return len(before) == 4 and before[1:3] == (1, 1) and bool(readers) and all(map(_is_product, readers))
    maker = node.inputs[0].producer
    thin = len(after) == 4 and _is_thin(before) and _is_thin(after) and (maker is None or maker.op != "Transpose")
    return thin and bool(readers) and all(target.march.ops.get(r.op, _ON_CPU).device == "bpu" for r in readers)


def _is_product(node: Node) -> bool:
    return node.op in ("Gemm", "MatMul") and isinstance(node.inputs[1], Constant)


def _drop_layouts(rows: list[Row], folds: Folds, within: Callable[[Node], bool], planar: AbstractSet[Node]) -> None:
    """No row for a Reshape of those ``within`` that alone takes its map, of one not ``planar``, off the BPU."""
    found = {row.node: row for row in rows}

    def device(node: Node | None) -> str:
        return "" if node is None else found[folds.home(node)].device

    for row in rows:
        data = row.node.inputs[0] if row.device == "cpu" and row.node.op in RESHAPES else None
        if data is None or not within(row.node) or device(data.producer) != "bpu" or data.producer in planar:
            continue
        if all(reader is row.node or device(reader) == "bpu" for reader in data.outputs):
            row.device, row.verdict, row.note = "folded", _FOLDED, LAYOUT


def _takes_thin(node: Node) -> bool:
    """Whether the map is one of one pixel or of one channel."""
    return _is_thin(node.inputs[0].shape or ())


def _gives_pooled(node: Node) -> bool:
    """Whether it makes a graph output that no node reads, of a map of one channel or of a pool over all pixels."""
    data = node.inputs[0]
    shape, maker = data.shape or (), data.producer
    pooled = maker is not None and maker.op == "GlobalAveragePool"
    return not node.outputs[0].outputs and len(shape) == 4 and (pooled or shape[1] == 1)


def _is_thin(shape: Sequence[Dim]) -> bool:
    return len(shape) == 2 or (len(shape) == 4 and (shape[1] == 1 or shape[2:] == (1, 1)))


def _place_body(graph: Graph, target: Target, opset: int, rows: list[Row]) -> None:
    """Nodes of If, Loop and Scan bodies run where their owner does: never on the BPU."""
    for node in graph.nodes:
        verdict = target.verdict(node, opset)
        device: Device = "cpu" if verdict.device == "bpu" else verdict.device
        rows.append(Row(node, device, None, verdict, "inside the body of a control-flow operator"))
