"""Fit the rates of a march to the layers that its toolchain compiled.

usage: fit_cost.py MARCH [--data DIR] [--write]

Reads DIR/MARCH.csv.gz and DIR/MARCH.json of cost_layers.py, and nothing else that was measured. The rates of the terms
are those that bring their sums closest to the computing times, in the logarithm and with outliers held down; those of
memory do the same for loading and storing; then how much of the shorter one stays exposed is chosen by the times of
whole models. The spread of a rate is how far families of networks are off by it. Prints what was reached, and with
--write puts it in MARCH.cost.yaml; the same tables give the same file.
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
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from surgery.cost import overlap
from surgery.cost.coefficients import PLENTY
from surgery.cost.overlap import windowed
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
WINDOWS, EXPOSED = (1, 2, 3, 4, 6, 8), tuple(np.arange(0, 0.81, 0.05).round(2))
AHEAD = (None, 1.0, 1.25, 1.5, 2.0, 3.0)
NEVER = 1e6
SPILLS, SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6), (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
WAITS = (0.3, 0.45, 0.6, 0.8, 1.0, 1.5, NEVER)
OUTPUT = 4
"""Bytes per element that the host reads: the compiler hands 32-bit integers out (seen in what it stores)."""
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True)
class Layer:
    """A line of the table."""

    model: str
    segment: str
    terms: Mapping[str, float]
    weights: int
    enters: int
    leaves: int
    features: tuple[int, ...]
    waits: tuple[tuple[int, int], ...]
    compute: float
    transfer: float

    @property
    def family(self) -> str:
        """The kind of network it is from; all networks of cells are one."""
        return family_of(self.model)


def family_of(model: str) -> str:
    """Architecture without its size: what has to be left out together.

    >>> family_of("latency/yolov8n_pose"), family_of("latency/efficientnet_lite2"), family_of("cells_0003")
    ('yolov8', 'efficientnet', 'cells')
    """
    name = model.rpartition("/")[2].lower()
    found = re.match(r"(yolov?\d+|[a-z]+(?:v\d)?)", name)
    return found[0] if found else name


@dataclass(frozen=True)
class Table:
    """What was measured on a march."""

    layers: tuple[Layer, ...]
    latency: Mapping[str, float]

    def without(self, families: Collection[str]) -> Table:
        """The table without some families."""
        kept = tuple(layer for layer in self.layers if layer.family not in families)
        return Table(kept, {m: us for m, us in self.latency.items() if family_of(m) not in families})


def read(folder: Path, march: str) -> Table:
    """The table of a march."""
    said = json.loads((folder / f"{march}.json").read_text())
    text = gzip.decompress((folder / f"{march}.csv.gz").read_bytes()).decode()
    return Table(tuple(map(_layer, csv.DictReader(io.StringIO(text)))), said["latency_us"])


def _layer(line: dict[str, str]) -> Layer:
    terms = {term: float(amount) for term, amount in (part.split("=") for part in line["terms"].split())}
    weights, enters, leaves = (int(line[name]) for name in ("weights", "enters", "leaves"))
    features = tuple(int(size) for size in line["features"].split("+") if size)
    waits = tuple((int(size), int(w)) for size, w in (one.split("/") for one in line["waits"].split("+") if one))
    compute, transfer = (float(line[name]) for name in ("compute_us", "transfer_us"))
    return Layer(line["model"], line["segment"], terms, weights, enters, leaves, features, waits, compute, transfer)


class Spill(NamedTuple):
    """MB of a tensor from which on a share of it goes through memory; MB of weights that others wait for there."""

    mb: float
    share: float
    wait_mb: float


@dataclass(frozen=True)
class Fit:
    """Rates in microseconds per unit of a term, their spreads, and what is to be said of memory."""

    rates: dict[str, float]
    spreads: dict[str, tuple[float, float]]
    memory: float
    moving: float
    memory_spread: tuple[float, float]
    spill: Spill
    exposed: float
    window: int
    ahead_mb: float | None

    def computing(self, layer: Layer) -> float:
        """Predicted microseconds of computing."""
        return sum(self.rates.get(term, 0.0) * amount for term, amount in layer.terms.items())


def fit(table: Table) -> Fit:
    """The fit to all layers of a table."""
    rates, spreads = engine(table, {})
    told = [layer for layer in table.layers if layer.terms]
    memory, moving, spill = _memory(told)
    exposed, window, ahead_mb = _schedule(table, memory)
    off = _by_family(
        [(layer.family, layer.transfer, memory * _bytes(layer, spill) + moving) for layer in told]
    )
    return Fit(rates, spreads, memory, moving, off, spill, exposed, window, ahead_mb)


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
    return rates, {name: _spread(told, rates, name) for name in rates}


def _fitted(told: Sequence[Layer]) -> list[str]:
    """The terms that enough layers have; every sum needs those that nothing stands in for."""
    count: dict[str, int] = defaultdict(int)
    for layer in told:
        for term in layer.terms:
            count[term] += 1
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


def _bytes(layer: Layer, spill: Spill) -> float:
    """MB that a layer moves through memory, as surgery.cost counts them."""
    held = spill.share * sum(max(0.0, size - spill.mb * 1e6) for size in layer.features)
    aside = 2 * sum(size for size, weights in layer.waits if weights > spill.wait_mb * 1e6)
    edges = layer.enters + OUTPUT * layer.leaves
    return (layer.weights + aside + (edges or held)) * 1e-6


def _memory(told: Sequence[Layer]) -> tuple[float, float, Spill]:
    """Microseconds per MB and per layer by layers of many weights; what spills by whole models."""
    heavy = [layer for layer in told if layer.weights > HEAVY and not layer.leaves and not layer.waits]
    moved = np.array([(layer.weights + layer.enters) * 1e-6 for layer in heavy])
    ones, measured = np.ones(len(moved)), np.array([layer.transfer for layer in heavy])
    found = closest(np.stack([moved, ones], axis=1), measured, ones, np.zeros(2))
    rate, moving = map(_rounded, found)
    by_model: dict[str, list[Layer]] = defaultdict(list)
    for layer in told:
        if layer.family != "cells":
            by_model[layer.model].append(layer)

    def error(spill: Spill) -> float:
        """Of all loading and storing, the part that models are off by: it is the large ones that spill."""
        off = whole = 0.0
        for layers in by_model.values():
            moved = [_bytes(layer, spill) for layer in layers]
            measured = sum(layer.transfer for layer in layers)
            off += abs(sum(rate * mb + moving * (mb > 0) for mb in moved) - measured)
            whole += measured
        return off / whole if whole else 0.0

    return rate, moving, min((Spill(*one) for one in product(SPILLS, SHARES, WAITS)), key=lambda one: (error(one), one))


def _schedule(table: Table, memory: float) -> tuple[float, int, float | None]:
    """How much stays exposed in windows of how many layers, with room for how many MB (None where no limit is better).

    By the measured times of layers and whole models.
    """

    def errors(room: float | None) -> Iterator[tuple[float, int, float, float]]:
        segments = list(_segments(table, memory, room))
        whole = np.array([table.latency[model] for model, _ in segments])
        for window, exposed in product(WINDOWS, EXPOSED):
            sums = [sum(windowed(layers, exposed, window) for layers in parts) for _, parts in segments]
            yield round(_size(np.abs(np.array(sums) / whole - 1)), 4), window, exposed, -(room or np.inf)

    _, window, exposed, room = min(found for room in AHEAD for found in errors(room))
    return exposed, window, -room if room > -np.inf else None


def _segments(table: Table, memory: float, room: float | None) -> Iterator[tuple[str, list[list[overlap.Layer]]]]:
    """Of every network but those of cells, the layers of its segments."""
    found: dict[str, dict[str, list[overlap.Layer]]] = defaultdict(lambda: defaultdict(list))
    for layer in table.layers:
        if layer.family != "cells":
            ahead = PLENTY if room is None else memory * max(0.0, room - layer.weights * 1e-6)
            found[layer.model][layer.segment].append((layer.compute, layer.transfer, ahead))
    for model, parts in found.items():
        yield model, list(parts.values())


def _size(errors: Sequence[float] | Floats) -> float:
    """One number for errors: the median, and half of what one in ten exceeds."""
    return float(np.median(errors) + 0.5 * np.quantile(errors, 0.9))


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
            f"  rate: {line(found.memory, found.memory_spread)}",
            f"  layer: {line(found.moving, found.memory_spread)}",
            f"  spill_mb: {found.spill.mb or 0.001}",
            f"  spill_share: {found.spill.share}",
            *([] if found.spill.wait_mb == NEVER else [f"  wait_mb: {found.spill.wait_mb}"]),
            f"  output_factor: {OUTPUT}",
            f"  exposed: {found.exposed}",
            f"  window: {found.window}",
            *([] if found.ahead_mb is None else [f"  ahead_mb: {found.ahead_mb}"]),
            "",
        )
    )


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
    spill = found.spill
    yield f"memory {found.memory} us/MB and {found.moving} us, spill {spill.share} over {spill.mb} MB"
    yield f"what waits for more than {spill.wait_mb:g} MB of weights is put aside"
    yield f"exposed {found.exposed} in windows of {found.window}, weights loaded ahead in {found.ahead_mb} MB"


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
