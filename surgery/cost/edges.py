"""Which tensors of a node come from memory or go there.

They are those of the graph's edge, of a node on the other side, and of one in another segment of the BPU.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from surgery.cost.links import features, feeder, is_weight
from surgery.cost.segments import ON_BPU, Devices
from surgery.cost.work import dims, elements, up
from surgery.ir.graph import Node, Tensor

if TYPE_CHECKING:
    from surgery.cost.coefficients import Alignment

Segments: TypeAlias = "Callable[[Node], int | None]"
_MAP = 4
_SUMS = frozenset({"Conv", "Gemm", "MatMul", "BatchNormalization", "ConvInteger", "QLinearConv"})
_FACTORS = frozenset({"Mul", "Div"})
_KEEPING = frozenset({
    "AveragePool", "Flatten", "Gather", "GatherElements", "Max", "Pad", "ReduceMax", "Reshape", "Resize", "Tile",
    "Transpose",
})  # fmt: skip
"""Operators whose result has the scale of what they read, so that what is asked of one is of the other, too."""


class Edge(NamedTuple):
    """What a node reads from memory, what it writes for the host, and what of that as 32-bit sums, channels first."""

    enters: tuple[Tensor, ...] = ()
    leaves: tuple[Tensor, ...] = ()
    sums: tuple[Tensor, ...] = ()

    def sizes(self, align: Alignment) -> tuple[int, int]:
        """Elements that enter and elements that leave; memory has them without padding.

        Those of a map that is turned as it is loaded count as often as they take longer than others.
        """
        return sum(_loaded(tensor, align) for tensor in self.enters), sum(map(elements, self.leaves))


def _loaded(tensor: Tensor, align: Alignment) -> int:
    """Elements of a tensor that is loaded.

    On bernoulli2 a map of more than 16 channels takes some five times as long as others, rows of 16 at a time
    (``data/witness/random_o2_bernoulli2``).
    """
    shape = dims(tensor)
    if align.turned_times == 1 or len(shape) != _MAP or prod(shape[2:]) == 1 or shape[1] <= align.turned_above:
        return elements(tensor)
    return align.turned_times * prod(shape[:-1]) * up(shape[-1], align.turned_width)


class Around(NamedTuple):
    """Where the neighbours of a node run, and in which segments of the BPU; without the latter there is one."""

    device: Devices
    segment: Segments | None = None

    def is_apart(self, node: Node, other: Node) -> bool:
        """Whether both are on the BPU, but in two segments."""
        if self.segment is None:
            return False
        here, there = self.segment(node), self.segment(other)
        return None not in (here, there) and here != there


def edge_of(node: Node, device: Devices | None = None, segment: Segments | None = None) -> Edge:
    """The edge of a node on the BPU; without ``device`` only the graph's own inputs and outputs are known."""
    around = None if device is None else Around(device, segment)
    outside = (t for t in node.inputs if t.name and not is_weight(t) and _is_outside(node, t, around))
    enters = tuple(t for t in outside if _is_first(node, t, around))
    leaves = tuple(t for t in node.outputs if t.name and _is_read_outside(node, node, t, around))
    return Edge(enters, leaves, tuple(t for t in leaves if _is_turned(node, t, device)))


def _is_turned(node: Node, tensor: Tensor, device: Devices | None) -> bool:
    """Whether the sums of a convolution leave as they are, and channels first.

    On bernoulli2 such a map takes 3.4 ns an element; one that the BPU reads, too, leaves in 8 bits and takes 0.3, as
    that of a lookup does, or of a sum of two for the CPU (``data/witness/random_o2_bernoulli2``). A sum of two that is
    an output is turned, and an average at a stride is a convolution.
    """
    if _is_read_inside(tensor, device) or _is_asked_for(tensor, device):
        return False
    if node.op == "Add" and len(features(node)) > 1:
        return node.graph is not None and node.graph.is_output(tensor)
    return _is_of_sums(node) and _is_channels_first(node, tensor, device)


def _is_outside(node: Node, tensor: Tensor, around: Around | None) -> bool:
    made = feeder(tensor, alone=False)
    if made is None or around is None:
        return made is None
    if around.device(made) == "cpu":
        return True
    while made is not None and around.device(made) == "folded" and made.inputs:
        made = feeder(made.inputs[0], alone=False)
    return made is not None and around.is_apart(node, made)


def _is_first(node: Node, tensor: Tensor, around: Around | None) -> bool:
    """Whether a node is the first on the BPU to read a tensor from memory: the others find it on the chip.

    Of several readers in one segment the later ones load for a fifth of the time at the median (the same tables).
    """
    readers = iter(tensor.outputs)
    if around is not None:
        readers = (r for r in tensor.outputs if around.device(r) in ON_BPU and not around.is_apart(node, r))
    first = next(readers, node)
    return first is node or first.name == node.name


def _is_read_outside(home: Node, node: Node, tensor: Tensor, around: Around | None) -> bool:
    """Whether the host or another segment than that of ``home`` reads a tensor, or what idle nodes make of it."""
    graph = node.graph
    if graph is not None and graph.is_output(tensor):
        return True
    return around is not None and any(_hands_on(home, reader, around) for reader in tensor.outputs)


def _is_channels_first(node: Node, tensor: Tensor, device: Devices | None) -> bool:
    """Whether the host reads a map as the graph has it: an output, or what a node on the CPU works on."""
    graph = node.graph
    if graph is not None and graph.is_output(tensor):
        return True
    return device is not None and any(_keeps_channels_first(reader, device) for reader in tensor.outputs)


def _is_of_sums(node: Node) -> bool:
    """Whether a node hands 32-bit sums out: a convolution, if it is not dilated, and what the compiler makes one of."""
    if node.op == "AveragePool":
        return any(s > 1 for s in node.attrs.get("strides", ()))
    if node.op == "MatMul" and is_weight(node.inputs[1]):
        return False  # channels are last as it is
    if node.op in _SUMS:
        return all(d == 1 for d in node.attrs.get("dilations", ()))
    return node.op in _FACTORS and len(features(node)) == 1


def _is_read_inside(tensor: Tensor, device: Devices | None) -> bool:
    """Whether a node on the BPU reads a tensor, too, or what nodes without work of their own make of it."""
    if device is None:
        return bool(tensor.outputs)
    return any(
        device(r) in ON_BPU or (device(r) == "folded" and any(_is_read_inside(t, device) for t in r.outputs))
        for r in tensor.outputs
    )


def _is_asked_for(tensor: Tensor, device: Devices | None) -> bool:
    """Whether the BPU reads what nodes on the CPU make of a tensor that keep its scale: it leaves in 8 bits then."""
    if device is None:
        return False
    left, seen = [tensor], {tensor}
    while left:
        kept = (r for r in left.pop().outputs if r.op in _KEEPING and device(r) in ("cpu", "folded"))
        for made in [t for r in kept for t in r.outputs if t.name and t not in seen]:
            if _is_read_inside(made, device):
                return True
            seen.add(made)
            left.append(made)
    return False


def _keeps_channels_first(reader: Node, device: Devices) -> bool:
    side = device(reader)
    if side == "folded" and reader.op != "Transpose":
        return any(_is_channels_first(reader, out, device) for out in reader.outputs)
    return side == "cpu"


def _hands_on(home: Node, reader: Node, around: Around) -> bool:
    side = around.device(reader)
    if side == "folded":
        return any(_is_read_outside(home, reader, t, around) for t in reader.outputs if t.name)
    return side not in ON_BPU or around.is_apart(home, reader)
