"""Does filling channels up pay? Layers of odd channels and the same filled up to the multiple of the march, compiled.

usage: align_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

A network is a 1x1 convolution from 16 channels, a 3x3 one among the channels in question, and a 1x1 one back, over a
map of 28x28. The latency at O2 goes to data/efficiency/channels.csv. Goes on where the table ends; exits with 2 without
the toolchain.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asking
import onnx
from cost_networks import Cells
from onnx import TensorProto, helper
from random_networks import IR, OPSET

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
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, net.values[name])] for name in (x, y))
    graph = helper.make_graph(net.nodes, "channels", inputs, outputs, net.held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def pair(witness: Witness, march: str, channels: int, limit: float) -> Pair:
    """Both networks, compiled."""
    width = int(load_target(march).cost["align"]["out_channels"])
    filled = -(-channels // width) * width
    answers = [witness.compile(Model.load(network(count)), march, limit=limit) for count in (channels, filled)]
    us, more = (0.0 if a.performance is None else round(a.performance.latency_us, 1) for a in answers)
    return Pair(march, channels, filled, us, more)


def read(path: Path = OUT) -> list[Pair]:
    """The rows of a table."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Pair(row["march"], int(row["channels"]), int(row["filled"]), float(row["us"]), float(row["filled_us"]))
            for row in csv.DictReader(file)
        ]


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--limit", type=float, default=300, help="seconds per network")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args(arguments)

    def ask(witness: Witness) -> None:
        rows = read(chosen.out)
        there = {(row.march, row.channels) for row in rows}
        for march in chosen.march or asking.MARCHES:
            for channels in (one for one in CHANNELS if (march, one) not in there):
                rows.append(pair(witness, march, channels, chosen.limit))
                print(*rows[-1], flush=True)
                with chosen.out.open("w", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows([Pair._fields, *rows])

    return asking.asked(chosen.witness, ask)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
