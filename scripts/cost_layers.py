"""Join what the vendor's toolchain says that layers cost with the terms our estimate makes of them.

usage: cost_layers.py MARCH PREFIX... [--cells FOLDER] --out DIR

PREFIX are tables of measure.py (performance); models in FOLDER are those of cost_networks.py, the others those of the
shared corpus. Writes DIR/MARCH.csv.gz, a line per layer, those of the same nodes added up: the model, the layer, the
operators behind it, its terms (TERM=AMOUNT, of all nodes behind it; none where they cannot be told apart), the bytes of
its weights, what it reads from memory and writes for the host, the sizes of what it reads and writes that has to be
held, what waits for its end beside how many weights (SIZE/WEIGHTS), and its microseconds of computing and of loading
and storing; and DIR/MARCH.json, where the figures come from, and the microseconds of whole models. fit_cost.py needs
these alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import corpus
import tables

from surgery.cost import work
from surgery.cost.coefficients import Alignment, rates
from surgery.cost.edges import edge_of
from surgery.cost.kinds import FREE, kinds
from surgery.cost.segments import Devices
from surgery.cost.terms import amounts
from surgery.cost.waiting import waiting
from surgery.ir import Model, Node
from surgery.target import Target, place
from surgery.target.target import load_target
from surgery.toolchain.log import TableRow
from surgery.toolchain.names import Names, named

COLUMNS = (
    "model", "segment", "layer", "ops", "terms", "weights", "enters", "leaves", "features", "waits", "compute_us",
    "transfer_us",
)  # fmt: skip


class _Sizes(NamedTuple):
    """Bytes of weights and at the edges; sizes of what is held; what waits."""

    weights: int
    enters: int
    leaves: int
    features: str
    waits: str


APART = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators whose layers are not added up: their own, and what turns maps around for others."""
NOTHING = _Sizes(0, 0, 0, "", "")


def lines(entry: tables.Entry, model: Model, target: Target) -> Iterator[list[Any]]:
    """The lines of a measured model; where its nodes run is what we predict, as for an estimate."""
    device, align = place(model, target).device, rates(target).align
    names = named(model, [row_of(*row) for row in entry["rows"]])
    nodes = {node.name: node for node in model.graph.nodes}
    shares = _shares(entry, names)
    found = defaultdict[tuple[str, str, tuple[str, ...]], list[tuple[str, float, float]]](list)
    for segment, layer, _, _, _, us, moving, *_ in entry["layers"]:
        behind = tuple(name for name in names.behind(layer) if name in nodes)
        apart = any(nodes[name].op in APART for name in behind) or not behind
        found[segment, layer if apart else "", behind].append((layer, float(us), float(moving)))
    for (segment, _, behind), layers in found.items():
        made = [nodes[name] for name in behind]
        terms, sizes = _work(made, device, align)
        whole = all(shares[name] == len(layers) for name in behind)
        text = " ".join(f"{term}={amount:.6g}" for term, amount in terms.items() if whole)
        ops, took = "+".join(node.op for node in made), (sum(us for _, us, _ in layers), sum(us for *_, us in layers))
        yield [entry["model"], segment, layers[0][0], ops, text, *sizes, *took]


def row_of(name: str, kind: str | None, device: Any, segment: str | None, data: str | None) -> TableRow:
    """A row of the toolchain's table as measure.py keeps it."""
    return TableRow(name, device, None if segment is None else int(segment), kind or "", data or "")


def _shares(entry: tables.Entry, names: Names) -> Counter[str]:
    """How many layers each node is behind: of one that is cut into several none is what it costs."""
    return Counter(name for _, layer, *_ in entry["layers"] for name in names.behind(layer))


def _work(behind: list[Node], device: Devices, align: Alignment) -> tuple[dict[str, float], _Sizes]:
    """The terms of the nodes together, empty where one has none, and their sizes."""
    terms: Counter[str] = Counter()
    weights = enters = leaves = 0
    sizes: list[int] = []
    waits: list[str] = []
    for node in behind:
        engines = kinds(node)
        if not engines:
            return {}, NOTHING
        if device(node) == "folded":
            continue
        edge, engines = edge_of(node, device), () if engines[0] in FREE else engines
        try:
            terms.update(amounts(node, engines, align, edge))
            if not engines:
                continue
            weights += work.weight_bytes(node, align)
            enters, leaves = (a + b for a, b in zip((enters, leaves), edge.sizes(align), strict=True))
            sizes += [work.elements(t) for side in work.held(node) for t in side]
            waits += [f"{held.size}/{held.weights}"] if (held := waiting(node, align)) is not None else []
        except work.NotStatic:
            return {}, NOTHING
    return dict(terms), _Sizes(weights, enters, leaves, "+".join(map(str, sizes)), "+".join(waits))


def graphs(cells: Path | None) -> dict[str, Path]:
    """Files by the name of a model in the tables."""
    found = {item.name: item.path for item in corpus.items()} if corpus.CORPUS.is_dir() else {}
    return found | {path.stem: path for path in (cells.glob("*.onnx") if cells else ())}


def main(arguments: list[str]) -> int:
    """Write the table of a march."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("march")
    parser.add_argument("prefixes", type=Path, nargs="+", metavar="PREFIX")
    parser.add_argument("--cells", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    target = load_target(chosen.march)
    files, found = graphs(chosen.cells), io.StringIO()
    said: dict[str, Any] = {"measured": {}, "latency_us": {}}
    table = csv.writer(found, lineterminator="\n")
    table.writerow(COLUMNS)
    for prefix in chosen.prefixes:
        said["measured"][prefix.name] = json.loads(prefix.with_suffix(".json").read_text())
        for entry in tables.written(prefix):
            if "refusal" not in entry and entry["march"] == chosen.march:
                said["latency_us"][entry["model"]] = entry["latency_us"]
                table.writerows(lines(entry, Model.load(files[entry["model"]]), target))
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / f"{chosen.march}.csv.gz").write_bytes(gzip.compress(found.getvalue().encode(), mtime=0))
    (chosen.out / f"{chosen.march}.json").write_text(json.dumps(said, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
