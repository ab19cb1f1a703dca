"""Hold the cost estimate against what was measured: public boards, and models that the vendor's toolchain compiled.

usage: validate_cost.py [--models] [--compiled [--leave-out]] [--march MARCH]...
       validate_cost.py --settings

Prints per board, for the time on the BPU, one-thread latency and the throughput of as many threads as measured, the
error of the estimate (median, 90th percentile, worst and median with its sign), Spearman's rank correlation, how many
pairs of different families are ranked right that are within 2x of each other, how many measurements are inside the
interval, and how wide that is at the median; with ``--models`` every row, too. Where some rows are of models of which
some nodes had int16 features, nobody says which, a second line leaves them out. The boards' graphs are the deployed
ones, so every node counts as placed on the BPU.

``--compiled`` compares with the O2 times of data/witness instead, each model placed as we predict it, the families with
attention once more by themselves, and with the bytes between memory and the BPU; with
``--leave-out`` every architecture family, and each of its layers, is estimated by rates that were fitted (fit_cost.py)
without it; the few numbers about memory stay those of all. ``--settings`` has a line per model that was measured or
compiled with int16 features, several cores to a frame or a batch, with milliseconds of the BPU, estimate and error.
Without the shared graphs and measurements it says so and exits 0.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import fit_cost
import numpy as np
import tables
import yaml
from boards import BOARDS, GRAPHS, MEASURED, rows
from cost_layers import graph

from surgery.cost import Estimate, Interval, estimate, estimate_nodes, what_if
from surgery.cost.coefficients import Rates, rates, sheet_of
from surgery.cost.estimate import estimate_by
from surgery.ir import Model, Node
from surgery.target import Placement, place
from surgery.target.target import load_target

ROOT = Path(__file__).resolve().parents[1]
COMPILED = ("bernoulli2", "bayes", "bayes-e")
FIGURES = (("bpu_busy_ms", "bpu_ms"), ("bpu_latency_ms", "latency_ms"), ("throughput_fps", "throughput_fps"))
"""What the boards are measured by, and what we call it."""
SETTINGS = {"cores2_o2_bernoulli2": "cores=2", "batch4_o2": "batch=4", "int16_o2_bayes-e": "int16"}
"""Tables of data/witness that were compiled otherwise, and how."""
ATTENTION = (
    "edgenext", "efficientformer", "efficientvit", "fastvit_sa", "levit", "swin", "vit", "yolo11", "yolov10", "yolo26",
)  # fmt: skip
"""How the names of models with attention begin."""
HEAD = "   n  MdAPE %    p90 %  worst %   bias %      rho  ranked %  inside %  high/low"


class Pair(NamedTuple):
    """What was measured, and the estimate of it, in ms or frames per second.

    Attributes:
        off_bytes: the percent that bytes are off by.
        mixed: whether some nodes had int16 features, nobody says which; the estimate is one of int8.
    """

    model: str
    family: str
    measured: float
    predicted: Interval
    off_bytes: float = 0.0
    mixed: bool = False

    @property
    def error(self) -> float:
        """Relative error of the middle, in percent."""
        return 100 * (self.predicted.mid / self.measured - 1)


@cache
def load(key: str) -> Model:
    """A deployed graph."""
    return Model.load(GRAPHS / f"{key}.onnx")


def predict(key: str, march: str) -> Estimate:
    """The estimate with every node on the BPU, in one segment."""
    return estimate_nodes(load(key).nodes(), _on_bpu, 1, load_target(march))


def pairs(board: str, column: str, field: str) -> list[Pair]:
    """The rows of a board that have a figure in ``column``, each with ``field`` of its estimate.

    A throughput is of the row's threads; rows whose printed figure is one of another number of threads are left out.
    """
    found = [row for row in rows(board) if row[column] and (column != "throughput_fps" or _is_of_its_threads(row))]
    return [
        Pair(
            r["model"],
            fit_cost.family_of(r["layer_key"]),
            float(r[column]),
            _figure(r, BOARDS[board], field),
            mixed=r["precision"] != "int8",
        )
        for r in found
    ]


def _is_of_its_threads(row: dict[str, str]) -> bool:
    return bool(row["multi_threads"]) and "1-thread figure" not in row["note"]


def _figure(row: dict[str, str], march: str, field: str) -> Interval:
    found = predict(row["layer_key"], march)
    if field == "throughput_fps":
        return found.throughput_fps(int(row["multi_threads"]))
    return found.bpu_ms if field == "bpu_ms" else found.latency_ms


@cache
def placed(key: str, march: str) -> Placement:
    """A deployed graph with the weights that were compiled, placed."""
    return place(graph(f"latency/{key}", None), load_target(march))


def compiled(march: str, table: Callable[[str], Rates]) -> list[Pair]:
    """The models compiled at O2, each estimated with the coefficients ``table`` has for its family."""
    found = []
    for entry in tables.written(ROOT / f"data/witness/latency_o2_{march}"):
        key = entry["model"].rpartition("/")[2]
        if "refusal" in entry or not (GRAPHS / f"{key}.onnx").is_file():
            continue
        where, family = placed(key, march), fit_cost.family_of(key)
        estimate = estimate_by(table(family), where)
        off = 100 * ((estimate.bytes_read + estimate.bytes_written) / entry["ddr_bytes"] - 1)
        found.append(Pair(key, family, entry["latency_us"] * 1e-3, estimate.compiler_ms, off))
    return found


class LeftOut:
    """Coefficients of a march by family, fitted without it; and how far the layers of the families are off then."""

    def __init__(self, march: str) -> None:
        self.march, self.table = march, fit_cost.read(fit_cost.DATA, march)
        self.whole = fit_cost.fit(self.table)
        self.made: dict[str, Rates] = {}
        self.layers: list[tuple[float, float]] = []

    def __call__(self, family: str) -> Rates:
        """The coefficients without a family."""
        if family not in self.made:
            rest, spreads = fit_cost.engine(self.table.without({family}), self.whole.rates)
            found = replace(self.whole, rates=rest, spreads=spreads)
            path = fit_cost.MARCHES / f"{self.march}.cost.yaml"
            self.made[family] = Rates(sheet_of(yaml.safe_load(fit_cost.written(path, found))))
            own = (layer for layer in self.table.layers if layer.family == family and layer.terms)
            self.layers += [(layer.compute, layer.computing(found.rates)) for layer in own]
        return self.made[family]


def spearman(left: Sequence[float], right: Sequence[float]) -> float:
    """Rank correlation."""
    ranks = (np.argsort(np.argsort(left)), np.argsort(np.argsort(right)))
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def ranked(found: Sequence[Pair]) -> float:
    """Percent of pairs of different families within 2x of each other that the estimate puts in the right order."""
    right = [
        (a.measured < b.measured) == (a.predicted.mid < b.predicted.mid)
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if a.family != b.family and 0.5 < a.measured / b.measured < 2 and a.measured != b.measured
    ]
    return 100 * float(np.mean(right)) if right else float("nan")


def summary(found: Sequence[Pair]) -> str:
    """One line of figures."""
    errors = np.abs([pair.error for pair in found])
    inside = np.mean([pair.predicted.low <= pair.measured <= pair.predicted.high for pair in found])
    width = np.median([pair.predicted.high / pair.predicted.low for pair in found])
    rho = spearman([pair.predicted.mid for pair in found], [pair.measured for pair in found])
    return (
        f"{len(found):4d} {np.median(errors):8.1f} {np.percentile(errors, 90):8.1f} {errors.max():8.1f} "
        f"{np.median([pair.error for pair in found]):+8.1f} {rho:8.3f} {ranked(found):9.0f} {100 * inside:9.0f} "
        f"{width:9.2f}"
    )


def row(pair: Pair) -> str:
    """One measurement beside its estimate."""
    figures = " ".join(f"{value:9.3f}" for value in (pair.measured, *pair.predicted))
    return f"    {pair.model:32s} {figures} {pair.error:+7.1f} %"


def boards(names: Sequence[str], models: bool) -> None:
    """Print the tables of the boards."""
    print(f"{'board':10s} {'figure':10s} {HEAD}")
    for board in names:
        for column, field in FIGURES:
            found = pairs(board, column, field)
            print(f"{board:10s} {field.split('_')[0]:10s} {summary(found)}")
            if any(pair.mixed for pair in found):
                print(f"{'':10s} {'all int8':10s} {summary([pair for pair in found if not pair.mixed])}")
            _each(found, models)


def toolchain(marches: Sequence[str], models: bool, leave_out: bool) -> None:
    """Print the tables of the compiled models."""
    print(f"{'march':10s} {HEAD}")
    for march in marches:
        left = LeftOut(march) if leave_out else None
        shipped = rates(load_target(march))
        found = compiled(march, left or partial(_always, shipped))
        print(f"{march:10s} {summary(found)}")
        print(f"{'attention':10s} {summary([pair for pair in found if pair.model.startswith(ATTENTION)])}")
        print(f"{'':10s} {len(found):4d} models, bytes from and to memory: {_middle(pair.off_bytes for pair in found)}")
        _each(found, models)
        if left is not None:
            off = [100 * (ours / theirs - 1) for theirs, ours in left.layers if theirs >= 4 * fit_cost.FLOOR]
            print(f"{'':10s} {len(off):4d} layers of 4 us or more: {_middle(off)}")


def _middle(errors: Iterable[float]) -> str:
    sizes = np.abs(list(errors))
    return f"{np.median(sizes):.1f} %, 90 % {np.percentile(sizes, 90):.1f} %"


def otherwise() -> Iterator[tuple[str, str, Pair]]:
    """Models deployed otherwise: the march, the what-if, and what a board or the toolchain says beside the estimate."""
    for row in csv.DictReader(MEASURED.open(newline="")):
        if row["precision"] == "all_int16" and row["quality"] == "ok":
            found = estimate_nodes(
                load(row["layer_key"]).nodes(), _on_bpu, 1, load_target(row["march"]), what_if("int16")
            )
            yield row["march"], "int16", Pair(row["model"], row["family"], float(row["bpu_busy_ms"]), found.bpu_ms)
    for name, text in SETTINGS.items():
        for entry in tables.written(ROOT / "data/witness" / name):
            if "latency_us" in entry:
                key, march = entry["model"].rpartition("/")[2], entry["march"]
                found = estimate(placed(key, march), what_if(text))
                yield march, text, Pair(key, fit_cost.family_of(key), entry["latency_us"] * 1e-3, found.compiler_ms)


def settings() -> None:
    """Print the table of models deployed otherwise."""
    for march, text, pair in otherwise():
        print(f"{march:10s} {text:8s} {row(pair)}")


def _on_bpu(_: Node) -> str:
    return "bpu"


def _always(table: Rates, _: str) -> Rates:
    return table


def _each(found: Sequence[Pair], models: bool) -> None:
    if models:
        print("\n".join(map(row, sorted(found, key=lambda pair: pair.error))))


def main(arguments: list[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--leave-out", action="store_true")
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--march", action="append", choices=(*BOARDS.values(), "bayes"))
    chosen = parser.parse_args(arguments)
    if not MEASURED.is_file():
        print(f"no measurements at {MEASURED}: nothing to compare with")
        return 0
    if chosen.settings:
        settings()
        return 0
    wanted = chosen.march or (*BOARDS.values(), "bayes")
    if chosen.compiled or chosen.leave_out:
        toolchain([march for march in COMPILED if march in wanted], chosen.models, chosen.leave_out)
    else:
        boards([board for board, march in BOARDS.items() if march in wanted], chosen.models)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
