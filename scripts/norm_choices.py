"""What group normalisations between Reshapes cost as they are, and as means over maps: both compiled.

usage: norm_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size an InstanceNormalization of rows of several channels, as exporters write GroupNormalization, between two 1x1
convolutions, and what group-norm-of-maps makes of it. All are compiled by the vendor's toolchain at O2, and the time
of a whole frame is kept in data/efficiency/norms.csv, beside that of our estimate on the BPU and the nodes that stay on
the CPU, whose time the compiler does not count. What the rule makes of each is printed behind it. Goes on where the
table ends; exits with 2 without the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import csv_rows
import frames
import numpy as np
import onnx
from asking import MARCHES
from cost_cells import Cells

import surgery
from surgery.ir import Model

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/norms.csv"
BEHIND = 16
FORMS = ("as it is", "maps")
X3 = "bernoulli2"
"""A march whose BPU has no such normalisation, so that the pass writes all of them."""


class Size(NamedTuple):
    """A square map, and its groups of channels."""

    channels: int
    side: int
    groups: int


SIZES = (Size(32, 64, 4), Size(64, 56, 32), Size(64, 28, 32), Size(128, 28, 8), Size(256, 14, 32), Size(512, 7, 32))


class Norm(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated."""

    march: str
    channels: int
    side: int
    groups: int
    form: str
    compiled_us: float
    estimated_us: float
    on_cpu: int


def network(size: Size) -> onnx.ModelProto:
    """The normalisation between Reshapes, with seeded weights around it."""
    net, rows = Cells(0), (1, size.groups, size.channels // size.groups * size.side**2)
    x = net.input((1, BEHIND, size.side, size.side))
    read = net.conv(x, size.channels)
    ones, zeros = (net.constant(np.full(size.groups, value, np.float32)) for value in (1, 0))
    y = net.op("Reshape", [read, net.constant(np.array(rows))], rows)
    y = net.op("InstanceNormalization", [y, ones, zeros], rows)
    y = net.op("Reshape", [y, net.constant(np.array(net.values[read]))], net.values[read])
    return net.model("norms", [x], [net.conv(y, BEHIND)])


def model(_: str, channels: int, side: int, groups: int, form: str) -> Model:
    """What is compiled for a march."""
    made = Model.load(network(Size(channels, side, groups)))
    return _substituted(made, X3) if form == "maps" else made


def decided(march: str, size: Size) -> bool:
    """Whether substitute-ops writes the normalisation otherwise."""
    return all(node.op != "InstanceNormalization" for node in _substituted(Model.load(network(size)), march).nodes())


def _substituted(made: Model, march: str) -> Model:
    return surgery.run(made, march=march, pipeline=surgery.Pipeline.of("substitute-ops"), verify="off").model


def main(arguments: Sequence[str]) -> int:
    """Compile, write the table, and print what the rule makes of each."""
    asked = [(*size, form) for size in SIZES for form in FORMS]
    code = csv_rows.extend(__doc__, arguments, OUT, Norm, frames.more(Norm, asked, model))
    for march, size in product(MARCHES, SIZES):
        print(march, *size, "maps" if decided(march, size) else "stays")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
