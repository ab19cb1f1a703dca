"""Fit what several cores to a frame and int16 features cost, to what the vendor's toolchain compiled.

usage: fit_settings.py cores MARCH PREFIX
       fit_settings.py int16 MARCH NARROW WIDE [--cells FOLDER]

The tables are those of measure.py (performance): PREFIX with ``--cores 2``, WIDE with ``--optimization
set_all_nodes_int16``, NARROW of the same models and level without. Prints, for cores, what is left of a frame's time
and what every layer adds, both by least squares of relative errors over whole models, and how far each model is off by
the others' fit; for int16, by the term that dominates a layer, how many layers of 4 us or more there are in both and
the ratio of their computing, int16 over int8 (median and tenths). The march's cost.yaml takes these by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables
from cost_layers import graph, lines

from surgery.cost import estimate
from surgery.cost.coefficients import Rates, rates
from surgery.cost.terms import Term
from surgery.target import place
from surgery.target.target import load_target

DATA = Path(__file__).resolve().parents[1] / "data"
LEAST = 4.0
"""Microseconds of a layer, from which on rounding to whole ones says little."""
FEWEST = 3
"""Layers of a term, below which it is put together with others."""


class Pair(NamedTuple):
    """A model's microseconds on one core and on several, and its layers on the BPU."""

    model: str
    one: float
    several: float
    layers: int


def pairs(march: str, prefix: Path) -> list[Pair]:
    """The models of PREFIX that were compiled for one core, too."""
    alone = {e["model"]: e["latency_us"] for e in tables.written(DATA / f"witness/latency_o2_{march}") if "layers" in e}
    target, found = load_target(march), []
    for entry in tables.written(prefix):
        model = entry["model"]
        if "layers" in entry and model in alone:
            busy = estimate(place(graph(model, None), target)).nodes
            layers = sum(cost.device == "bpu" and cost.us.mid > 0 for cost in busy)
            found.append(Pair(model, alone[model], entry["latency_us"], layers))
    return found


def shared(found: Sequence[Pair]) -> tuple[float, float]:
    """What is left of one core's time, and microseconds per layer, by least squares of relative errors."""
    work = np.array([[pair.one, pair.layers] for pair in found])
    scale = np.array([pair.several for pair in found])
    share, layer = np.linalg.lstsq(work / scale[:, None], np.ones(len(found)), rcond=None)[0]
    return float(share), float(layer)


def cores(march: str, prefix: Path) -> None:
    """Print the fit, and every model by the fit to the others."""
    found = pairs(march, prefix)
    share, layer = shared(found)
    print(f"share {share:.3f}, {layer:.2f} us a layer, of {len(found)} models")
    for out in found:
        left, more = shared([pair for pair in found if pair is not out])
        guess = left * out.one + more * out.layers
        print(f"  {out.model:36s} {out.one:9.1f} {out.several:9.1f} us, off {100 * (guess / out.several - 1):+5.1f} %")


def ratios(march: str, narrow: Path, wide: Path, cells: Path | None) -> dict[str, list[float]]:
    """Int16 over int8 of every layer that both tables have, by the term that dominates it."""
    target = load_target(march)
    table, found = rates(target), defaultdict(list)
    known = {(e["model"], layer[1]): float(layer[5]) for e in tables.written(narrow) for layer in e.get("layers", ())}
    for entry in (entry for entry in tables.written(wide) if "layers" in entry):
        for line in lines(entry, graph(entry["model"], cells), target):
            before, after = known.get((line[0], line[2]), 0.0), float(line[-2])
            if line[4] and min(before, after) >= LEAST:
                found[_dominant(line[4], table)].append(after / before)
    return found


def _dominant(text: str, table: Rates) -> str:
    terms = ((Term(name), float(amount)) for name, _, amount in (part.partition("=") for part in text.split()))
    return max(terms, key=lambda term: table.engine[term[0]].of(term[1]).mid if term[0] in table.engine else 0.0)[0]


def int16(march: str, narrow: Path, wide: Path, cells: Path | None) -> None:
    """Print the ratios."""
    found = ratios(march, narrow, wide, cells)
    few = [ratio for own in found.values() if len(own) < FEWEST for ratio in own]
    for term, values in (*sorted(item for item in found.items() if len(item[1]) >= FEWEST), ("of fewer layers", few)):
        low, middle, high = np.percentile(values, (10, 50, 90))
        print(f"{term:20s} {len(values):4d} layers  {middle:6.2f}  ({low:.2f} to {high:.2f})")


def main(arguments: list[str]) -> int:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cores", "int16"))
    parser.add_argument("march")
    parser.add_argument("prefixes", type=Path, nargs="+", metavar="PREFIX")
    parser.add_argument("--cells", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.what == "cores":
        cores(chosen.march, chosen.prefixes[0])
    else:
        narrow, wide = chosen.prefixes
        int16(chosen.march, narrow, wide, chosen.cells)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
