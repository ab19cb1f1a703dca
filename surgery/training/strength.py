"""How strong the channels of a group are: by normalisation scales, by filters, or by gates of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from surgery.channels import Group
from surgery.ir import Constant, Node, ops
from surgery.training.torches import need
from surgery.training.twin import Twin, constants

if TYPE_CHECKING:
    from torch import Tensor

SCALED = frozenset({"BatchNormalization", "InstanceNormalization"})
"""Operators whose input 1 scales every channel by itself."""


@dataclass(frozen=True)
class Handle:
    """A parameter that says how strong channels are.

    Attributes:
        key: its name.
        axis: of the channels.
        shape: of the parameter.
        places: by index of the axis its channel's number in the group; -1 for channels of other groups.
        is_scale: whether it scales channels by itself; else it is the weight of a layer, one filter per channel.
    """

    key: str
    axis: int
    shape: tuple[int, ...]
    places: tuple[int, ...]
    is_scale: bool

    @property
    def module(self) -> str:
        """The path of the module that it belongs to."""
        return self.key.rpartition(".")[0]


def handles(twin: Twin, group: Group) -> list[Handle]:
    """The parameters along whose output channels those of ``group`` lie, in the order of the graph."""
    found = (_handle(twin, group, *side) for side in _sides(twin))
    return list(dict.fromkeys(handle for handle in found if handle is not None))


def strengths(handle: Handle, values: Tensor, norm: str) -> Tensor:
    """By index along the handle's axis: the size of the scale, or the mean of the filter by ``norm``, l1 or l2."""
    if values.ndim == 1:
        return values.abs()
    rows = values.movedim(handle.axis, 0).flatten(1)
    order, mean = (1, rows.shape[1]) if norm == "l1" else (2, rows.shape[1] ** 0.5)
    found: Tensor = need("torch").linalg.vector_norm(rows, ord=order, dim=1) / mean
    return found


def mean_by_channel(parts: Sequence[tuple[Handle, Tensor]], channels: int) -> Tensor:
    """Of ``channels`` channels the mean of what each of their handles says, by index along its axis."""
    torch, (_, first) = need("torch"), parts[0]
    total, count = first.new_zeros(channels), first.new_zeros(channels)
    for handle, values in parts:
        mine = [(index, place) for index, place in enumerate(handle.places) if place >= 0]
        index, place = (torch.tensor(column, device=first.device) for column in zip(*mine, strict=True))
        total = total.index_add(0, place, values.to(first).index_select(0, index))
        count = count.index_add(0, place, torch.ones_like(place, dtype=first.dtype))
    found: Tensor = total / count.clamp(min=1)
    return found


def _sides(twin: Twin) -> Iterator[tuple[Constant, Node, int, bool]]:
    """The scales and the weights of layers, with who reads them and the axis of output channels."""
    for constant in constants(twin.model):
        for reader in constant.consumers:
            if reader.op in SCALED and reader.input(1) is constant:
                yield constant, reader, 0, True
            elif (axis := ops.output_axis(reader, constant)) is not None and constant.rank > 1:
                yield constant, reader, axis, False


def _handle(twin: Twin, group: Group, constant: Constant, reader: Node, axis: int, is_scale: bool) -> Handle | None:
    origin, units = twin.origins.get(constant.name), twin.channels.units(constant, axis, reader)
    own = None if origin is None else origin.axes[axis]
    if origin is None or own is None or units is None or not np.isin(units, group.units).any():
        return None
    number: dict[Any, int] = {unit: index for index, unit in enumerate(group.units.tolist())}
    places = tuple(number.get(unit, -1) for unit in units.tolist())
    return Handle(origin.key, own, twin.shapes[origin.key], places, is_scale)
