"""How much a channel matters: by its weights, by its normalisation, by what it carries, by what outputs say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from passes.clamp.layer import Layer
from passes.clamp.prune.data import Array, Samples, channels_last, energies, values
from passes.clamp.prune.gates import slopes
from surgery.channels import Channels, Group
from surgery.ir import Constant, Model
from surgery.rewrite import Mismatch


@dataclass(frozen=True)
class Subject:
    """What is measured: the groups that channels may be taken from, and the layers of the model, on samples."""

    model: Model
    channels: Channels
    groups: Sequence[Group]
    layers: tuple[Layer, ...]
    samples: Samples

    def mixing(self) -> list[Layer]:
        """The layers that mix channels: what they read is lost when a channel goes."""
        return [layer for layer in self.layers if layer.work.inputs > 1 and len(layer.weight_axes) > 1]


def scores(kind: str, subject: Subject) -> list[Array]:
    """For every group, the importance of each of its units; of one group they add up to 1."""
    if kind in ("activation", "taylor") and not subject.samples:
        raise Mismatch(f"importance {kind!r} is measured on samples, and nothing is run here")
    score = KINDS[kind](subject)
    found = [np.array([score.get(int(unit), 0.0) for unit in group.units]) for group in subject.groups]
    return [each / each.sum() if each.sum() > 0 else np.full(len(each), 1 / len(each)) for each in found]


def _norms(power: float) -> Callable[[Subject], dict[int, float]]:
    """Sums over all weights that a channel has, on both of its sides."""

    def norms(subject: Subject) -> dict[int, float]:
        return _sum(
            (units, sums)
            for layer in subject.layers
            for axis, sums in zip(layer.weight_axes, energies(layer, power), strict=True)
            if (units := subject.channels.units(layer.weight, axis, layer.node)) is not None
        )

    return norms


def _batch_norm(subject: Subject) -> dict[int, float]:
    """The scales of normalisation; raises Mismatch where a group has none."""
    scales = [
        (units, np.abs(scale.values.astype(np.float64)))
        for node in subject.channels.graph.nodes
        if node.op == "BatchNormalization" and isinstance(scale := node.inputs[1], Constant)
        if (units := subject.channels.units(scale, 0, node)) is not None
    ]
    score = _sum(scales)
    if bare := next((g for g in subject.groups if int(g.units[0]) not in score), None):
        raise Mismatch(
            f"the channels of {bare.name!r} have no BatchNormalization, whose scales were to say what matters"
        )
    return score


def _activation(subject: Subject) -> dict[int, float]:
    """The share of what a layer computes that varies with a channel: its variance times the energy of its weights."""
    layers = subject.mixing()
    moments = {layer.node.name: np.zeros((3, layer.work.groups * layer.work.inputs)) for layer in layers}
    for found in values(subject.model, [layer.x.name for layer in layers], subject.samples):
        for layer in layers:
            rows = channels_last(found[layer.x.name].astype(np.float64), layer.in_axis)
            moments[layer.node.name] += [np.full(rows.shape[1], len(rows)), rows.sum(axis=0), (rows**2).sum(axis=0)]
    return _sum(_carried(subject, layer, moments[layer.node.name]) for layer in layers)


def _carried(subject: Subject, layer: Layer, moments: Array) -> tuple[Array, Array]:
    count, first, second = moments
    weight = energies(layer)[0]
    variance = np.maximum(second / count - (first / count) ** 2, 0)
    lost = variance * np.tile(weight, len(variance) // len(weight))
    units = subject.channels.units(layer.x, layer.in_axis, layer.node)
    return np.arange(0) if units is None else units, lost / max(lost.sum(), np.finfo(np.float64).tiny)


def _taylor(subject: Subject) -> dict[int, float]:
    units = np.unique(np.concatenate([group.units for group in subject.groups])).tolist()
    return slopes(subject.model, subject.mixing(), subject.channels, units, subject.samples)


def _sum(parts: Iterable[tuple[Array, Array]]) -> dict[int, float]:
    score: dict[int, float] = {}
    for units, amounts in parts:
        for unit, amount in zip(units.tolist(), amounts.tolist(), strict=True):
            score[unit] = score.get(unit, 0.0) + amount
    return score


KINDS: dict[str, Callable[[Subject], dict[int, float]]] = {
    "l1": _norms(1),
    "l2": _norms(2),
    "batch-norm": _batch_norm,
    "activation": _activation,
    "taylor": _taylor,
}
"""By name, the importance of every unit."""
