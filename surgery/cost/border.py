"""Tensors that cross between host and BPU, and what turning them between float and int8 costs.

A float output of the BPU is dequantised and copied by the host, a float input is quantised; integers and tensors
that the model itself quantises cross as they are, and an image input arrives in the form the BPU reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from surgery.cost import work
from surgery.cost.coefficients import Basis, Rates
from surgery.cost.interval import ZERO, Interval
from surgery.cost.links import is_weight
from surgery.cost.segments import ON_BPU, Devices
from surgery.ir.graph import Constant, Node, Tensor

Direction: TypeAlias = Literal["input", "output", "to_bpu", "to_cpu"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One tensor that crosses: its name, direction, bytes on the host's side, and microseconds of the host."""

    tensor: str
    direction: Direction
    bytes: int
    us: Interval
    basis: Basis
    group: str


def transfers(nodes: Iterable[Node], device: Devices, table: Rates) -> list[Transfer]:
    """The tensors that ``nodes`` read from or hand to the other side, each once per direction.

    A tensor whose size is not known crosses at an unknown price (NaN).
    """
    seen: dict[tuple[int, Direction], Transfer] = {}
    for node in nodes:
        for tensor, direction in _crossings(node, device):
            key = (id(tensor), direction)
            if key not in seen:
                seen[key] = _priced(tensor, direction, table)
    return list(seen.values())


def _crossings(node: Node, device: Devices) -> Iterator[tuple[Tensor, Direction]]:
    if device(node) == "folded":
        return
    here = device(node) in ON_BPU
    for tensor in node.inputs:
        if tensor.name and not is_weight(tensor) and (found := _inward(tensor, here, device)):
            yield tensor, found
    for tensor in node.outputs:
        if tensor.name and (found := _outward(tensor, node, here, device)):
            yield tensor, found


def _inward(tensor: Tensor, here: bool, device: Devices) -> Direction | None:
    made = _maker(tensor, device)
    if made is None:
        return "input" if here else None
    return _side(device(made) in ON_BPU, here)


def _outward(tensor: Tensor, node: Node, here: bool, device: Devices) -> Direction | None:
    if here and node.graph is not None and node.graph.is_output(tensor):
        return "output"
    for reader in tensor.outputs:
        if device(reader) != "folded" and (found := _side(here, device(reader) in ON_BPU)):
            return found
    return None


def _maker(tensor: Tensor, device: Devices) -> Node | None:
    """The node whose work the tensor is, folded nodes skipped; None for a graph input."""
    made = tensor.producer
    while made is not None and device(made) == "folded" and made.inputs and not isinstance(made.inputs[0], Constant):
        made = made.inputs[0].producer
    return made


def _side(from_bpu: bool, to_bpu: bool) -> Direction | None:
    if from_bpu == to_bpu:
        return None
    return "to_cpu" if from_bpu else "to_bpu"


def _priced(tensor: Tensor, direction: Direction, table: Rates) -> Transfer:
    rate = table.host["dequantise" if direction in ("output", "to_cpu") else "quantise"]
    try:
        count = work.elements(tensor) * table.batch
    except work.NotStatic:
        return Transfer(tensor.name, direction, 0, Interval.unknown(), Basis.ASSUMED, rate.name)
    size = tensor.dtype.itemsize if tensor.dtype is not None else 4
    free = not _is_float(tensor) or (direction == "input" and _is_image(tensor))
    us = ZERO if free else rate.of(count * 1e-6)
    return Transfer(tensor.name, direction, count * size, us, rate.basis, rate.name)


def _is_float(tensor: Tensor) -> bool:
    return tensor.dtype is None or tensor.dtype.kind == "f"


def _is_image(tensor: Tensor) -> bool:
    """One to four channels in rank 4: deployed as camera data, which the BPU reads without the host."""
    shape = tensor.shape
    return shape is not None and len(shape) == 4 and any(isinstance(d, int) and d <= 4 for d in (shape[1], shape[3]))
