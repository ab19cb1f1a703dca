"""How many channels a choice leaves: of groups, of the axes of weights, of multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from passes.clamp.layer import Layer
from passes.clamp.prune.data import Array
from surgery.channels import Channels, Group

Counts = tuple[int, ...]
"""How many units of each group are gone: those that matter least."""


@dataclass(frozen=True, eq=False)
class Side:
    """One axis of channels of a layer's weight.

    Attributes:
        size: indices, before.
        lost: by group, how many indices go with its first so many units.
    """

    size: int
    lost: Mapping[int, Array]

    def kept(self, counts: Counts) -> int:
        """Indices that stay."""
        return self.size - sum(int(lost[counts[group]]) for group, lost in self.lost.items())


class Extent:
    """The sizes of what is chosen from.

    Args:
        channels: of the graph.
        groups: that units may be taken from.
        layers: those with weights.
        scores: importance per unit, by group.
    """

    def __init__(
        self, channels: Channels, groups: Sequence[Group], layers: Sequence[Layer], scores: Sequence[Array]
    ) -> None:
        self.channels, self.groups, self.layers = channels, groups, layers
        order = [np.argsort(score, kind="stable") for score in scores]
        self.units = [group.units[o] for group, o in zip(groups, order, strict=True)]
        self.scores = [score[o] for score, o in zip(scores, order, strict=True)]

    def gone(self, counts: Counts) -> frozenset[int]:
        """The units that go."""
        return frozenset(int(u) for units, count in zip(self.units, counts, strict=True) for u in units[:count])

    @cached_property
    def sides(self) -> list[tuple[Side, ...]]:
        """The axes of channels of every layer."""
        return [tuple(self._side(layer, axis) for axis in layer.weight_axes) for layer in self.layers]

    def _side(self, layer: Layer, axis: int) -> Side:
        units = self.channels.units(layer.weight, axis, layer.node)
        size = layer.weight.shape[axis]
        if units is None:
            return Side(size, {})
        steps = {i: np.isin(mine, units) * _times(units, mine) for i, mine in enumerate(self.units)}
        return Side(size, {i: np.concatenate([[0], np.cumsum(step)]) for i, step in steps.items() if step.any()})

    @cached_property
    def places(self) -> list[int]:
        """Of every layer the multiply-accumulates per element of its weight."""
        return [_places(layer) for layer in self.layers]

    def macs(self, counts: Counts) -> int:
        """Multiply-accumulates of all layers."""
        return sum(self.layer_macs(index, counts) for index in range(len(self.layers)))

    def layer_macs(self, index: int, counts: Counts) -> int:
        """Those of one layer."""
        sides = self.sides[index]
        rest = self.layers[index].weight.weight.shape
        fixed = prod(rest) // max(1, prod(side.size for side in sides))
        return self.places[index] * fixed * prod(side.kept(counts) for side in sides)

    @cached_property
    def around(self) -> list[list[int]]:
        """By group, the layers that it is part of."""
        return [
            [i for i, sides in enumerate(self.sides) if any(g in s.lost for s in sides)] for g in range(len(self.units))
        ]


def _times(units: Array, mine: Array) -> Array:
    """How often each of ``mine`` is among ``units``."""
    found, counts = np.unique(units, return_counts=True)
    place = np.searchsorted(found, mine).clip(max=len(found) - 1)
    return np.where(found[place] == mine, counts[place], 0)


def _places(layer: Layer) -> int:
    """How often a weight is used: output (of a transposed convolution input) elements per channel, open dims as 1."""
    map_, axis = (layer.x, layer.in_axis) if layer.node.op == "ConvTranspose" else (layer.y, layer.out_axis)
    return prod(size for place, size in enumerate(map_.shape or ()) if place != axis and isinstance(size, int))
