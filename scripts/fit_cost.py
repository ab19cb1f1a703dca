"""Fit the rates of a march to the layers that its toolchain compiled.

usage: fit_cost.py MARCH [--data DIR] [--write]

Reads DIR/MARCH.csv.gz and DIR/MARCH.json of cost_layers.py, and nothing else that was measured. The rates of the terms
are those that bring their sums closest to the computing times, in the logarithm and with outliers held down; those of
memory do the same for loading and storing; what spills, and how much of the shorter one stays exposed, is then chosen
by the times of whole models (fit_memory.py). The spread of a rate is how far families of networks are off by it.
Prints what was reached, and with --write puts it in MARCH.cost.yaml; the same tables give the same file.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fit_memory import KEPT, NEVER, OUTPUT, Floats, Memory, chosen, ends, known
from scipy.optimize import OptimizeResult, least_squares

from surgery.cost.coefficients import standing
from surgery.cost.terms import INSTEAD, Term

ROOT = Path(__file__).resolve().parents[1]
MARCHES, DATA, SOURCE = ROOT / "surgery/target/marches", ROOT / "data/cost", "compiled"
FLOOR, SCALE = 1.0, 0.3
"""Microseconds that whole ones cannot tell apart; the error in the logarithm from which a layer is an outlier."""
STARTS = (0.5, 1.0)
"""Shares of what its layers take that a term is looked for from: outliers make valleys."""
FEW = 4
"""Layers that a term must have to be fitted."""
NARROW, WIDE = 1.03, 4.0
HEAVY = 50_000
"""Bytes of weights from which on a layer says what memory takes."""
ENDS_SPREAD = (0.3, 3.0)
FED = 8192
"""Elements that a layer loads from which on it says what loading one takes."""


@dataclass(frozen=True)
class Work:
    """A line of a table: the terms of a node, or of all nodes behind a layer, and what it may move."""

    model: str
    segment: str
    terms: Mapping[str, float]
    weights: int = 0
    loaded: int = 0
    enters: int = 0
    leaves: int = 0
    held: tuple[int, ...] = ()
    handed: tuple[int, ...] = ()
    held_looked: tuple[int, ...] = ()
    handed_looked: tuple[int, ...] = ()
    waits: tuple[tuple[int, int], ...] = ()

    @property
    def family(self) -> str:
        """The kind of network it is from; all networks of cells are one."""
        return family_of(self.model)

    def computing(self, rates: Mapping[str, float]) -> float:
        """Predicted microseconds of computing."""
        return sum(rates.get(term, 0.0) * amount for term, amount in self.terms.items())


@dataclass(frozen=True)
class Layer(Work):
    """A layer, and its microseconds of computing and of loading and storing."""

    compute: float = 0.0
    transfer: float = 0.0


def family_of(model: str) -> str:
    """Architecture without its size: what has to be left out together.

    >>> family_of("latency/yolov8n_pose"), family_of("latency/efficientnet_lite2"), family_of("cells_0003")
    ('yolov8', 'efficientnet', 'cells')
    """
    name = model.rpartition("/")[2].lower()
    found = re.match(r"(yolov?\d+|[a-z]+(?:v\d)?)", name)
    return found[0] if found else name


class Whole(NamedTuple):
    """A whole model: its nodes on the BPU, its microseconds, the bytes it moves, and microseconds on a board or 0."""

    nodes: tuple[Work, ...]
    latency: float
    ddr_bytes: float
    board: float = 0.0


@dataclass(frozen=True)
class Table:
    """What was measured on a march: layers, and whole models and random networks by their names."""

    layers: tuple[Layer, ...]
    models: Mapping[str, Whole]
    small: Mapping[str, Whole] = field(default_factory=dict)

    def without(self, families: Collection[str]) -> Table:
        """The table without some families."""
        kept = tuple(layer for layer in self.layers if layer.family not in families)
        models = {name: whole for name, whole in self.models.items() if family_of(name) not in families}
        return Table(kept, models, self.small)


def read(folder: Path, march: str) -> Table:
    """The table of a march."""
    said = json.loads((folder / f"{march}.json").read_text())
    nodes: dict[str, list[Work]] = defaultdict(list)
    for line in _lines(folder / f"{march}_models.csv.gz"):
        nodes[line["model"]].append(Work(**_work(line)))
    layers = tuple(
        Layer(**_work(line), compute=float(line["compute_us"]), transfer=float(line["transfer_us"]))
        for line in _lines(folder / f"{march}.csv.gz")
    )
    latency, moved = said["latency_us"], said["ddr_bytes"]
    small = {name: Whole(tuple(nodes[name]), us, 0) for name, us in said["small_us"].items()}
    told = said["board_us"]
    models = {name: Whole(tuple(nodes[name]), latency[name], moved[name], told.get(name, 0.0)) for name in latency}
    return Table(layers, models, small)


def _lines(path: Path) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))


def _work(line: dict[str, str]) -> dict[str, Any]:
    return {
        "model": line["model"],
        "segment": line["segment"],
        "terms": {term: float(amount) for term, amount in (part.split("=") for part in line["terms"].split())},
        **{name: int(line[name]) for name in ("weights", "loaded", "enters", "leaves")},
        **{name: tuple(int(size) for size in line[name].split("+") if size) for name in KEPT},
        "waits": tuple((int(size), int(w)) for size, w in (one.split("/") for one in line["waits"].split("+") if one)),
    }


@dataclass(frozen=True)
class Fit:
    """Rates in microseconds per unit of a term, their spreads, and what is to be said of memory and segments' ends."""

    rates: dict[str, float]
    spreads: dict[str, tuple[float, float]]
    rate: float
    moving: float
    entering: float
    memory_spread: tuple[float, float]
    memory: Memory
    ends: float = 0.0


def fit(table: Table) -> Fit:
    """The fit to all layers of a table."""
    rates, spreads = engine(table, {})
    told = [layer for layer in table.layers if layer.terms]
    rate, moving = _memory(told)
    entering = _entering(told, rate, moving)
    priced = {str(term): rates[found] for term in Term if (found := standing(term, rates)) is not None}
    whole = [known(model, priced, entering) for model in table.models.values()]
    spread = _off(told, rate, moving, entering)
    small = [known(network, priced, entering) for network in table.small.values()]
    memory = chosen(whole, rate, moving)
    return Fit(rates, spreads, rate, moving, entering, spread, memory, ends(small, memory, rate, moving))


def _off(told: Sequence[Layer], rate: float, moving: float, entering: float) -> tuple[float, float]:
    """How far families are off in loading and storing, by the layers of which it is sure how much they do."""
    rows = ((layer, layer.loaded + entering * layer.enters + OUTPUT * layer.leaves) for layer in told)
    return _by_family([(layer.family, layer.transfer, rate * size * 1e-6 + moving) for layer, size in rows if size])


def engine(table: Table, begin: Mapping[str, float]) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The rates of the terms and their spreads, looked for from ``begin`` on."""
    told = [layer for layer in table.layers if layer.terms]
    names = _fitted(told)
    count = Counter((tuple(layer.terms.get(name, 0.0) for name in names), layer.compute) for layer in told)
    amounts = np.array([terms for terms, _ in count])
    measured = np.array([us for _, us in count])
    start = np.array([begin.get(name, 0.0) for name in names])
    found = closest(amounts, measured, np.array(list(count.values()), float), start)
    largest = amounts.max(axis=0)
    named = zip(names, found, largest, strict=True)
    rates = {name: _rounded(rate) if rate * most > FLOOR / 2 else 0.0 for name, rate, most in named}
    rates |= dict(_unseen(rates))
    return rates, {name: _spread(told, rates, name) for name in rates}


def _unseen(rates: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Terms that every march has and no layer here, at the rate of one that they stand for elsewhere."""
    for term in Term:
        if term not in INSTEAD and term not in rates:
            kin = (rates[other] for other, instead in INSTEAD.items() if instead == term and other in rates)
            yield from ((term, rate) for rate in islice(kin, 1))


def _fitted(told: Sequence[Layer]) -> list[str]:
    """The terms that enough layers have; every sum needs those that nothing stands in for."""
    count: dict[str, int] = defaultdict(int)
    for layer in told:
        for term, amount in layer.terms.items():
            count[term] += amount > 0
    return [term for term in Term if count[term] >= FEW or (count[term] and term not in INSTEAD)]


def closest(amounts: Floats, measured: Floats, count: Floats, begin: Floats) -> Floats:
    """Positive rates whose sums are closest to what was measured, in the logarithm; ``begin`` has 0 for none known."""
    largest = amounts.max(axis=0)
    typical = np.array([np.median(measured[column > 0.3 * column.max()]) for column in amounts.T])
    root = np.sqrt(count)

    def off(logs: Floats) -> Floats:
        return np.asarray(root * np.log((amounts / largest @ np.exp(logs) + FLOOR) / (measured + FLOOR)))

    def slope(logs: Floats) -> Floats:
        parts = amounts / largest * np.exp(logs)
        return np.asarray(parts * (root / (parts.sum(axis=1) + FLOOR))[:, None])

    bounds = (np.full(len(largest), -12.0), np.full(len(largest), 25.0))

    def search(start: Floats) -> OptimizeResult:
        return least_squares(off, np.log(start), slope, bounds, loss="cauchy", f_scale=SCALE, max_nfev=400)

    starts = np.array([np.where(begin > 0, begin * largest, share * typical) for share in STARTS])
    found = map(search, np.unique(np.maximum(starts, 1e-3), axis=0))
    return np.asarray(np.exp(min(found, key=lambda one: float(one.cost)).x) / largest)


def _spread(told: Sequence[Layer], rates: Mapping[str, float], name: str) -> tuple[float, float]:
    """How far families are off in the layers that a term dominates."""
    rows = []
    for layer in told:
        parts = {term: rates.get(term, 0.0) * amount for term, amount in layer.terms.items()}
        if name in parts and parts[name] >= 0.5 * sum(parts.values()):
            rows.append((layer.family, layer.compute, sum(parts.values())))
    return _by_family(rows)


def _by_family(rows: Sequence[tuple[str, float, float]]) -> tuple[float, float]:
    """Quantiles of measured over predicted by family, at least a little apart; wide where there are few families."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for family, measured, predicted in rows:
        sums[family][0] += measured
        sums[family][1] += predicted
    ratios = sorted(
        measured / predicted for measured, predicted in sums.values() if predicted > 5 * FLOOR and measured > 0
    )
    if len(ratios) < 3:
        return (0.5, 2.0)
    low, high = np.quantile(ratios, (0.1, 0.9))
    return (
        float(_rounded(max(1 / WIDE, min(low, 1 / NARROW)), 2)),
        float(_rounded(min(WIDE, max(high, NARROW)), 3)),
    )


def _memory(told: Sequence[Layer]) -> tuple[float, float]:
    """Microseconds per MB and per layer, by layers of many weights."""
    heavy = [layer for layer in told if layer.weights > HEAVY and not layer.leaves and not layer.waits]
    moved = np.array([(layer.loaded + layer.enters) * 1e-6 for layer in heavy])
    ones, measured = np.ones(len(moved)), np.array([layer.transfer for layer in heavy])
    rate, moving = map(_rounded, closest(np.stack([moved, ones], axis=1), measured, ones, np.zeros(2)))
    return rate, moving


def _entering(told: Sequence[Layer], rate: float, moving: float) -> float:
    """Bytes that loading an element takes the time of, rows of a map with what lies between them."""
    fed = (layer for layer in told if layer.enters > FED and layer.weights < layer.enters and not layer.leaves)
    found = [((layer.transfer - moving) / rate * 1e6 - layer.loaded) / layer.enters for layer in fed]
    return _rounded(float(np.median(found)), 2) if found else 1.0


def _rounded(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def text(found: Fit, source: str, segment: str) -> str:
    """The part of the file that is fitted."""

    def line(rate: float, spread: tuple[float, float]) -> str:
        return (
            f"{{value: {_rounded(rate * 1e-3)}, spread: [{spread[0]}, {spread[1]}], basis: fitted, source: {source}}}"
        )

    engine = (f"  {name}: {line(rate, found.spreads[name])}" for name, rate in found.rates.items())
    return "\n".join(
        (
            "engine:",
            *engine,
            f"segment: {segment}",
            "memory:",
            f"  rate: {line(found.rate, found.memory_spread)}",
            f"  layer: {line(found.moving, found.memory_spread)}",
            f"  ends: {line(found.ends, ENDS_SPREAD)}",
            f"  input_factor: {found.entering}",
            f"  output_factor: {OUTPUT}",
            *(f"  {name}: {value}" for name, value in _told(found.memory)),
            "",
        )
    )


def _told(memory: Memory) -> Iterator[tuple[str, float]]:
    """The numbers that say something: no size that nothing has, and no share of it."""
    shares = {"spill_share": memory.spill_mb, "pass_share": memory.pass_mb}
    for name, value in memory._asdict().items():
        if NEVER not in (value, shares.get(name)) and (name, value) != ("looked_up_share", 0.0):
            yield name, value


def written(path: Path, found: Fit) -> str:
    """The coefficient file with the fitted part replaced."""
    whole = path.read_text(encoding="utf-8")
    head, rest = whole.split("engine:\n", 1)
    tail = rest[rest.index("host:\n") :]
    segment = re.search(r"^segment: (.*)$", rest, re.MULTILINE)
    assert segment is not None
    return head + text(found, SOURCE, segment[1]) + tail


def report(table: Table, found: Fit) -> Iterator[str]:
    """Lines about what was reached."""
    by_term: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for layer in table.layers:
        if layer.terms:
            parts = {term: found.rates.get(term, 0.0) * amount for term, amount in layer.terms.items()}
            by_term[max(parts, key=lambda term: parts[term])].append((layer.compute, sum(parts.values())))
    yield f"{'term':18s} {'us/unit':>10s} {'spread':>13s}  layers  of 4 us or more: median and 90 % error"
    for term, rows in sorted(by_term.items(), key=lambda item: -sum(m for m, _ in item[1])):
        off = [abs(p / m - 1) for m, p in rows if m >= 4 * FLOOR]
        told = f"{100 * np.median(off):5.1f} % {100 * np.quantile(off, 0.9):6.1f} %" if off else ""
        low, high = found.spreads.get(term, (1, 1))
        rate = found.rates.get(term, 0.0)
        yield f"{term:18s} {rate:10.4g} {low:6.2f} {high:6.2f} {len(rows):7d} {len(off):7d} {told}"
    yield f"memory {found.rate} us/MB and {found.moving} us"
    yield ", ".join(f"{name} {value:g}" for name, value in _told(found.memory))


def main(arguments: list[str]) -> int:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("march")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args(arguments)
    table = read(chosen.data, chosen.march)
    found = fit(table)
    print("\n".join(report(table, found)))
    if chosen.write:
        path = MARCHES / f"{chosen.march}.cost.yaml"
        path.write_text(written(path, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
