"""What the convolutions of families of networks make of each march, by form, estimated and as compiled.

usage: efficiency_families.py [--march M]... [--out FILE.csv]

The networks are of the shared corpus, placed as `surgery check --advise efficiency` has them. Beside the estimate of
all layers of a form stand those that data/witness/latency_o2_* tells apart, estimated and as compiled: nothing else
takes time in the compiled layer. Writes data/efficiency/families.csv.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import corpus
import tables
from cost_layers import row_of

from surgery.cost.coefficients import rates
from surgery.cost.convolutions import convolutions, totals
from surgery.cost.nodes import cost_on
from surgery.cost.overlap import side_by_side
from surgery.ir import Model
from surgery.pipeline.view import place_as_seen
from surgery.target import Placement, load_target
from surgery.toolchain.install import MARCHES
from surgery.toolchain.names import named

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "data/efficiency/families.csv"
FAMILIES = {
    "ResNet": ("latency/resnet18", "latency/resnet50"),
    "ResNeXt": ("models/tv_resnext50_op11",),
    "RegNet": ("latency/regnetx_032",),
    "NFNet": ("models/tm_eca_nfnet_l0_op13_nofold",),
    "MobileNet": ("latency/mobilenetv1", "latency/mobilenetv2", "latency/mobilenetv4_conv_small"),
    "EfficientNet": ("latency/efficientnet_lite0", "latency/efficientnet_b2"),
}


class Line(NamedTuple):
    """The layers of one form in a model: microseconds, shares of the best rates, and what the compiled ones take."""

    family: str
    model: str
    march: str
    form: str
    layers: int
    macs: int
    parameters: int
    us: float
    dense_us: float
    compute: float
    loading: float
    compared: int
    compared_us: float
    compiled_us: float


def lines(family: str, item: corpus.Item, march: str) -> Iterator[Line]:
    """The lines of a model."""
    model, target = Model.load(item.filled()), load_target(march)
    placement = place_as_seen(model, target)
    found = convolutions(placement, model.opset)
    compiled = _compiled(item.name, model, placement)
    sums: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in found:
        if (name := one.cost.node.name) in compiled:
            sums[one.channels.form].append((one.cost.us.mid, compiled[name]))
    for total in totals(found, target):
        use, both = total.use, sums[total.form]
        shares = (0.0, 0.0) if use is None else (round(use.compute or 0.0, 4), round(use.parameters or 0.0, 4))
        times = (round(total.us.mid, 1), round(total.dense_us.mid, 1))
        compared = (len(both), *(round(sum(side), 1) for side in (zip(*both, strict=True) if both else ((), ()))))
        counts = (total.layers, total.macs, total.parameters)
        yield Line(family, item.name, march, total.form.value, *counts, *times, *shares, *compared)


def _compiled(name: str, model: Model, placement: Placement) -> dict[str, float]:
    """Microseconds of the compiled layers that are one convolution and what it takes along, by its name."""
    entry = _measured(placement.target.name).get(name)
    if entry is None:
        return {}
    names, table = named(model, [row_of(*row) for row in entry["rows"]]), rates(placement.target)
    layers = [(names.behind(row[1]), float(row[5]), float(row[6])) for row in entry["layers"]]
    often = Counter(node for behind, _, _ in layers for node in behind)
    busy = {
        row.node.name: cost.late
        for row in placement.live
        if not (cost := cost_on(row.node, row.device, table, placement.device)).us.known or cost.us.mid > 0
    }
    return {
        working[0]: side_by_side(compute, moving, busy[working[0]], table.memory.exposed)
        for behind, compute, moving in layers
        if len(working := [node for node in behind if node in busy]) == 1 and often[working[0]] == 1
    }


@cache
def _measured(march: str) -> dict[str, tables.Entry]:
    found = tables.written(ROOT / f"data/witness/latency_o2_{march}")
    return {entry["model"]: entry for entry in found if "refusal" not in entry}


def read(path: Path = OUT) -> list[Line]:
    """The rows of a table."""
    with path.open(newline="") as file:
        return [_line(list(row.values())) for row in csv.DictReader(file)]


def _line(cells: list[str]) -> Line:
    family, model, march, form, layers, macs, parameters, *times, compared, mine, compiled = cells
    us, dense, compute, loading = map(float, times)
    counts = int(layers), int(macs), int(parameters)
    return Line(
        family, model, march, form, *counts, us, dense, compute, loading, int(compared), float(mine), float(compiled)
    )


def main(arguments: list[str]) -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--march", action="append", choices=MARCHES)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args(arguments)
    corpus.need_corpus()
    items = {item.name: item for item in corpus.items([name for names in FAMILIES.values() for name in names])}
    found = [
        line
        for march in chosen.march or MARCHES
        for family, names in FAMILIES.items()
        for name in names
        for line in lines(family, items[name], march)
    ]
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    with chosen.out.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((Line._fields, *found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
