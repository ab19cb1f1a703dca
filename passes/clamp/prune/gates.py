"""First-order Taylor importance: how far outputs move when a channel is turned down a little.

onnxruntime computes no gradients here, so the slope of every output is a difference: each value that layers read is
multiplied by gates, which are inputs of their own, and each unit in turn is turned down. That is one run per unit and
sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from passes.clamp.layer import Layer
from passes.clamp.prune.data import Array, Samples
from surgery.channels import Channels
from surgery.ir import Model, Node, Value
from surgery.ir.edit import Editor
from surgery.ir.session import Session, SessionError, open_session
from surgery.rewrite import Mismatch

STEP = 1 / 16
"""How far a gate is closed: a power of two, so that what is multiplied stays as precise as it was."""
MOST_RUNS = 50_000
"""Runs of the model that are still worth a choice of channels."""
MOST_SAMPLES = 8
TINY = float(np.finfo(np.float64).tiny)


def slopes(
    model: Model, layers: Sequence[Layer], channels: Channels, units: Sequence[int], samples: Samples
) -> dict[int, float]:
    """The squared slope of the outputs with the gate of each unit, over the squared outputs, summed over samples."""
    chosen = list(samples)[:MOST_SAMPLES]
    if len(units) * len(chosen) > MOST_RUNS:
        raise Mismatch(f"importance 'taylor' would take {len(units) * len(chosen)} runs, at most {MOST_RUNS} are made")
    gates = [_Gate(layer, channels) for layer in layers]
    session = _gated(model, gates)
    try:
        return {unit: sum(_slope(session, gates, unit, sample) for sample in chosen) for unit in units}
    except SessionError as error:
        raise Mismatch(f"the model cannot be run on the samples to measure its channels: {error.what}") from error


class _Gate:
    """What multiplies the channels that a layer reads."""

    def __init__(self, layer: Layer, channels: Channels) -> None:
        self.layer, self.name = layer, f"{layer.node.name}/gate"
        units = channels.units(layer.x, layer.in_axis, layer.node)
        self.units = np.empty(0, np.int64) if units is None else units
        rank = layer.x.rank or 0
        self.shape = tuple(len(self.units) if axis == layer.in_axis else 1 for axis in range(rank))

    def value(self, unit: int | None) -> Array:
        """All open but those of ``unit``, which are turned down by STEP."""
        open_: Array = 1 - STEP * (self.units == unit)
        return open_.astype(self.layer.x.dtype).reshape(self.shape)

    def insert(self, model: Model, editor: Editor) -> None:
        """Let the layer read its input times the gate, an input of the graph."""
        x, node, graph = self.layer.x, self.layer.node, model.graph
        gate, turned = Value(self.name, x.dtype, self.shape), Value(f"{self.name}d", x.dtype, x.shape)
        editor.insert(Node("Mul", self.name, {}, [x, gate], [turned]), graph, node.position)
        editor.set_input(node, 0, turned)
        editor.set_graph_inputs(graph, [*graph.inputs, gate])


def _gated(model: Model, gates: Sequence[_Gate]) -> Session:
    editor = Editor()
    try:
        for gate in gates:
            gate.insert(model, editor)
        editor.settle()
        return open_session(model)
    except SessionError as error:
        raise Mismatch(f"the model cannot be run to measure its channels: {error.what}") from error
    finally:
        editor.rollback()


def _slope(session: Session, gates: Sequence[_Gate], unit: int, sample: Mapping[str, Array]) -> float:
    whole, less = (
        session.run({**sample, **{gate.name: gate.value(turned) for gate in gates}}) for turned in (None, unit)
    )
    moved = sum(float(((less[n].astype(np.float64) - whole[n]) ** 2).sum()) for n in whole)
    return moved / STEP**2 / max(sum(float((a.astype(np.float64) ** 2).sum()) for a in whole.values()), TINY)
