"""Does filling channels up pay? Layers of odd channels and the same filled up to the multiple of the march, compiled.

usage: align_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

A network is a 1x1 convolution from 16 channels, a 3x3 one among the channels in question, and a 1x1 one back, over a
map of 28x28. The latency at O2 goes to data/efficiency/channels.csv. Goes on where the table ends; exits with 2 without
the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import csv_rows
import onnx
from cost_cells import Cells

from surgery.ir import Model
from surgery.target import load_target
from surgery.toolchain import Witness

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/channels.csv"
CHANNELS = (30, 60, 196)
SIDE = 28


class Pair(NamedTuple):
    """Microseconds as compiled, of as many channels as there are, and of the multiple; 0 where it was refused."""

    march: str
    channels: int
    filled: int
    us: float
    filled_us: float


def network(channels: int) -> onnx.ModelProto:
    """Three convolutions in a row."""
    net = Cells(0)
    x = net.input((1, 16, SIDE, SIDE))
    y = net.conv(net.conv(net.conv(x, channels, relu=True), channels, (3, 3), 1, 1, relu=True), 16)
    return net.model("channels", [x], [y])


def pair(witness: Witness, march: str, channels: int, limit: float) -> Pair:
    """Both networks, compiled."""
    width = int(load_target(march).cost["align"]["out_channels"])
    filled = -(-channels // width) * width
    answers = [witness.compile(Model.load(network(count)), march, limit=limit) for count in (channels, filled)]
    us, more = (0.0 if a.performance is None else round(a.performance.latency_us, 1) for a in answers)
    return Pair(march, channels, filled, us, more)


def missing(witness: Witness, march: str, rows: Sequence[Pair], limit: float) -> Iterator[Pair]:
    """The pairs of a march that are not among ``rows``."""
    there = {(row.march, row.channels) for row in rows}
    return (pair(witness, march, channels, limit) for channels in CHANNELS if (march, channels) not in there)


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    return csv_rows.extend(__doc__, arguments, OUT, Pair, missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
