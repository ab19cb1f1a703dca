"""Join what the vendor's toolchain says that layers cost with the terms our estimate makes of them.

usage: cost_layers.py MARCH PREFIX... [--cells FOLDER] --out DIR

PREFIX are tables of measure.py (performance); models in FOLDER are those of cost_networks.py, the others those of the
shared corpus. Writes DIR/MARCH.csv.gz, a line per layer, those of the same nodes added up: the model, the layer, the
operators behind it, its terms (TERM=AMOUNT, of all nodes behind it; none where they cannot be told apart), the bytes of
its weights, as they are and as they are loaded, what it reads from memory and writes for the host, the sizes of what it
reads and writes that has to be held, and of what is handed on, what lookups make apart, what waits for its end beside
how many weights (SIZE/WEIGHTS), and its microseconds of computing and of loading and storing; and DIR/MARCH.json, where
the figures come from, and the microseconds of whole models and the bytes they move, those of random networks, and those
of whole models on a board where one teaches the march. Of all these MARCH_models.csv.gz has a line per node on the BPU,
as our estimate takes it. fit_cost.py needs these alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boards
import corpus
import tables

from surgery.cost import spilling, work
from surgery.cost.amounts import amounts
from surgery.cost.coefficients import Alignment, rates
from surgery.cost.edges import Segments, edge_of
from surgery.cost.kinds import FREE, Kind, kinds
from surgery.cost.links import feeder, reader
from surgery.cost.segments import Devices, numbers
from surgery.cost.terms import Term
from surgery.cost.waiting import waiting
from surgery.ir import Model, Node
from surgery.target import Placement, Target, place
from surgery.target.target import load_target
from surgery.toolchain.log import TableRow
from surgery.toolchain.names import Names, named

COLUMNS = (
    "model", "segment", "layer", "ops", "terms", "weights", "loaded", "enters", "leaves", "held", "handed",
    "held_looked", "handed_looked", "waits", "compute_us", "transfer_us",
)  # fmt: skip
OF_NODES = ("model", "segment", *COLUMNS[4:-2])
TAUGHT = {"bayes-e": "RDK X5"}
"""Boards whose measurements the numbers about memory are chosen by, too."""
CELLS, RANDOM = ("cells", "windows", "rewrites"), "random"
"""How the names of networks of cells begin, which are there for their layers alone, and of random ones."""


class _Sizes(NamedTuple):
    """Bytes of weights, also as loaded, and at the edges; what is held and handed on, lookups' apart; what waits."""

    weights: int
    loaded: int
    enters: int
    leaves: int
    held: str
    handed: str
    held_looked: str
    handed_looked: str
    waits: str


_RESHAPED = "_Reshape_0"
_IDLE = tuple((kind,) for kind in FREE)
APART = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators whose layers are not added up: their own, and what turns maps around for others."""
NOTHING = _Sizes(0, 0, 0, 0, "", "", "", "", "")


def lines(entry: tables.Entry, model: Model, target: Target) -> Iterator[list[Any]]:
    """The lines of a measured model; where its nodes run is what we predict, as for an estimate."""
    placement, align = place(model, target), rates(target).align
    device, segment_of = placement.device, _segments(placement)
    names = named(model, [row_of(*row) for row in entry["rows"]])
    nodes = {node.name: node for node in model.graph.nodes}
    behind = {layer: _behind(layer, names, nodes) for _, layer, *_ in entry["layers"]}
    working = {layer: tuple(n for n in found if kinds(nodes[n])[:1] not in _IDLE) for layer, found in behind.items()}
    shares = Counter(name for _, layer, *_ in entry["layers"] for name in working[layer])
    found = defaultdict[tuple[str, str, tuple[str, ...]], list[tuple[str, float, float]]](list)
    for segment, layer, _, _, _, us, moving, *_ in entry["layers"]:
        apart = any(nodes[name].op in APART for name in working[layer]) or not working[layer]
        found[segment, layer if apart else "", working[layer]].append((layer, float(us), float(moving)))
    for (segment, _, busy), layers in found.items():
        made = [nodes[name] for name in dict.fromkeys(name for layer, *_ in layers for name in behind[layer])]
        terms, sizes = _work(made, device, segment_of.get, align)
        whole = all(shares[name] == len(layers) for name in busy)
        took = [sum(us for _, us, _ in layers), sum(us for *_, us in layers)]
        if Term.APART in terms:  # what these store and load again, they wait for
            took = [sum(took), 0.0]
        text, ops = _text(terms) if whole else "", "+".join(node.op for node in made)
        yield [entry["model"], segment, layers[0][0], ops, text, *sizes, *took]


def nodes_of(name: str, model: Model, target: Target) -> Iterator[list[Any]]:
    """A line per node that our estimate has on the BPU, in its order."""
    placement, align = place(model, target), rates(target).align
    segment_of = _segments(placement)
    for node in (row.node for row in placement.live):
        found = _work([node], placement.device, segment_of.get, align) if node in segment_of else ({}, NOTHING)
        terms, sizes = found
        if terms:
            yield [name, segment_of[node], _text(terms), *sizes]


def _segments(placement: Placement) -> dict[Node, int]:
    """The segment of every node on the BPU, as an estimate has it."""
    nodes = [row.node for row in placement.live]
    return numbers(nodes, placement.device, lambda node: placement.row(node).segment)


def _text(terms: Mapping[str, float]) -> str:
    return " ".join(f"{term}={amount:.6g}" for term, amount in terms.items())


def row_of(name: str, kind: str | None, device: Any, segment: str | None, data: str | None) -> TableRow:
    """A row of the toolchain's table as measure.py keeps it."""
    return TableRow(name, device, None if segment is None else int(segment), kind or "", data or "")


def _behind(layer: str, names: Names, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Names of the nodes behind a layer; those that lay tokens apart and scatter them count together."""
    behind = tuple(name for name in names.behind(layer) if name in nodes)
    cut = _cut_behind(layer, nodes)
    if cut is None:
        last = nodes[behind[0]] if len(behind) == 1 else None
        cut = feeder(last.inputs[0], alone=True) if last is not None and last.op == "Transpose" else None
        if cut is None or kinds(cut) != (Kind.APART,):
            return behind
    after = reader(cut) if kinds(cut) == (Kind.APART,) else None
    return (cut.name,) if after is None else (cut.name, after.name)


def _cut_behind(layer: str, nodes: Mapping[str, Node]) -> Node | None:
    """The Reshape that cuts the rows of a product apart: the compiler calls its layer after the product."""
    made = nodes.get(max((name for name in nodes if layer.startswith(name)), key=len, default=""))
    if made is None or not layer.endswith(_RESHAPED):
        return None
    made = reader(made)
    while made is not None and made.op == "Reshape" and kinds(made)[0] in FREE:
        made = reader(made)
    return made if made is not None and made.op == "Reshape" else None


def _work(behind: list[Node], device: Devices, segment: Segments, align: Alignment) -> tuple[dict[str, float], _Sizes]:
    """The terms of the nodes together, empty where one has none, and their sizes."""
    terms: Counter[str] = Counter()
    weights = loaded = enters = leaves = 0
    kept: tuple[list[int], ...] = [], [], [], []
    waits: list[str] = []
    for node in behind:
        engines = kinds(node)
        if not engines:
            return {}, NOTHING
        if device(node) == "folded":
            continue
        edge, engines = edge_of(node, device, segment), () if engines[0] in FREE else engines
        try:
            terms.update(amounts(node, engines, align, edge))
            enters, leaves = (a + b for a, b in zip((enters, leaves), edge.sizes(align), strict=True))
            if not (engines or any(edge)):
                continue
            weights, loaded = (a + b for a, b in zip((weights, loaded), work.weight_bytes(node, align), strict=True))
            for sizes, more in zip(kept, spilling.sizes(node, edge), strict=True):
                sizes.extend(more)
            waits += [f"{aside.size}/{aside.weights}"] if (aside := waiting(node, align)) is not None else []
        except work.NotStatic:
            return {}, NOTHING
    held, handed, *looked = ("+".join(map(str, side)) for side in kept)
    return dict(terms), _Sizes(weights, loaded, enters, leaves, held, handed, looked[0], looked[1], "+".join(waits))


def graph(name: str, cells: Path | None) -> Model:
    """The model of a name in the tables, one of the corpus with the weights that were compiled."""
    own = cells / f"{name}.onnx" if cells else None
    if own is not None and own.is_file():
        return Model.load(own)
    return Model.load(next(corpus.items((name,), folders=("latency",))).filled())


def on_a_board(march: str, models: Collection[str]) -> dict[str, float]:
    """Microseconds of the BPU that models took on the march's board, if one teaches it, but for starting a segment."""
    taught = TAUGHT.get(march)
    if taught is None or not boards.MEASURED.is_file():
        return {}
    start, found = rates(load_target(march)).segment.us.mid, defaultdict[str, list[float]](list)
    for row in boards.rows(taught):
        name = f"latency/{row['layer_key']}"
        if name in models and row["precision"] == "int8" and row["bpu_busy_ms"]:
            found[name].append(1000 * float(row["bpu_busy_ms"]) - start)
    return {name: round(statistics.median(times), 1) for name, times in sorted(found.items())}


def _write(path: Path, rows: Iterable[list[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def main(arguments: list[str]) -> int:
    """Write the table of a march."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("march")
    parser.add_argument("prefixes", type=Path, nargs="+", metavar="PREFIX")
    parser.add_argument("--cells", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    target = load_target(chosen.march)
    said: dict[str, Any] = {"measured": {}, "latency_us": {}, "ddr_bytes": {}, "small_us": {}, "board_us": {}}
    layers, nodes = [list[Any](COLUMNS)], [list[Any](OF_NODES)]
    for prefix in chosen.prefixes:
        said["measured"][prefix.name] = json.loads(prefix.with_suffix(".json").read_text())
        for entry in tables.written(prefix):
            if "refusal" not in entry and entry["march"] == chosen.march:
                name = entry["model"]
                model = graph(name, chosen.cells)
                layers += lines(entry, model, target)
                if name.startswith(RANDOM):
                    said["small_us"][name] = entry["latency_us"]
                elif not name.startswith(CELLS):
                    said["latency_us"][name], said["ddr_bytes"][name] = entry["latency_us"], entry["ddr_bytes"]
                if not name.startswith(CELLS):
                    nodes += nodes_of(name, model, target)
    said["board_us"] = on_a_board(chosen.march, said["latency_us"])
    chosen.out.mkdir(parents=True, exist_ok=True)
    _write(chosen.out / f"{chosen.march}.csv.gz", layers)
    _write(chosen.out / f"{chosen.march}_models.csv.gz", nodes)
    (chosen.out / f"{chosen.march}.json").write_text(json.dumps(said, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
