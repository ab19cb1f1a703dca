"""What a convolution costs in other groups: the same channels in every number of groups, compiled.

usage: group_choices.py [--march M]... [--limit S] [--out FILE.csv] [--witness DIR]

Per size one network of cells (cost_networks.py): a 1x1 convolution, the one in so many groups, another 1x1 convolution.
Each is compiled by the vendor's toolchain at O2, and what the middle layers compute is kept in
data/efficiency/groups.csv; :func:`estimated` is what our estimate says of them. Goes on where the table ends; exits
with 2 without the toolchain.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import csv_rows
import onnx
from cost_cells import Cells

from surgery.cost import node_cost
from surgery.ir import Model, Node
from surgery.target import load_target
from surgery.toolchain import Witness
from surgery.toolchain.names import named

OUT = Path(__file__).resolve().parents[1] / "data/efficiency/groups.csv"
SIZES = (
    (3, 1, 64, 56), (3, 1, 128, 56), (3, 1, 256, 28), (3, 1, 512, 14), (1, 1, 64, 56), (1, 1, 256, 28),
    (3, 2, 64, 112), (3, 2, 128, 56),
)  # fmt: skip
"""Side of the kernel, stride, channels, side of what is read; the second to the fourth are ResNeXt's stages."""


Size: TypeAlias = tuple[int, int, int, int]


class Choice(NamedTuple):
    """Microseconds that one layer computes as compiled."""

    march: str
    kernel: int
    stride: int
    channels: int
    side: int
    groups: int
    compiled_us: float

    @property
    def size(self) -> Size:
        """The size of its layer."""
        return self.kernel, self.stride, self.channels, self.side


def network(kernel: int, stride: int, channels: int, side: int) -> onnx.ModelProto:
    """A cell for every number of groups."""
    net = Cells(0)
    ends = []
    for groups in divisors(channels):
        x = net.input((1, 16, side, side))
        middle = net.conv(net.conv(x, channels, relu=True), channels, (kernel, kernel), stride, groups, relu=True)
        ends.append((x, net.conv(middle, 16)))
    return net.model("groups", *zip(*ends, strict=True))


def divisors(channels: int) -> list[int]:
    """The powers of two up to ``channels``, which is one."""
    return [1 << n for n in range(channels.bit_length())]


def middles(model: Model) -> list[Node]:
    """The convolutions in the middle of the cells, in the order of :func:`divisors`."""
    return [node for node in model.graph.nodes if node.op == "Conv"][1::3]


def choices(witness: Witness, march: str, size: Size, limit: float) -> Iterator[Choice]:
    """The layers of a network; nothing where the toolchain refuses it, with a word on stderr."""
    model = Model.load(network(*size))
    answer = witness.compile(model, march, limit=limit)
    if answer.performance is None or answer.placement is None:
        print(f"{march} {size}: {answer.refusal.text if answer.refusal else 'no answer'}", file=sys.stderr)
        return
    names = named(model, answer.placement.rows)
    spent: dict[str, float] = {}
    for layer in answer.performance.layers:
        for name in names.behind(layer.name):
            spent[name] = spent.get(name, 0.0) + layer.compute_us
    for node in middles(model):
        yield Choice(march, *size, node.attrs["group"], spent.get(node.name, 0.0))


def estimated(march: str, size: Size) -> list[float]:
    """Microseconds that the middle layers compute by our estimate."""
    target = load_target(march)
    return [node_cost(node, "bpu", target).computing.mid for node in middles(Model.load(network(*size)))]


def read(path: Path = OUT) -> list[Choice]:
    """The rows of a table."""
    return csv_rows.read(Choice, path)


def missing(witness: Witness, march: str, rows: Sequence[Choice], limit: float) -> Iterator[Choice]:
    """The layers of a march, of sizes that are not among ``rows``."""
    there = {row.size for row in rows if row.march == march}
    for size in (one for one in SIZES if one not in there):
        yield from choices(witness, march, size, limit)


def main(arguments: Sequence[str]) -> int:
    """Compile, and write the table."""
    return csv_rows.extend(__doc__, arguments, OUT, Choice, missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
