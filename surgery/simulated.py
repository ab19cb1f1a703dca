"""int8 without a toolchain: two models as a march would quantise them, run by onnxruntime.

What is rounded follows the placement: what enters the BPU and what a node there makes for another; not what is inside a
fusion, not what only moves, and not what a convolution hands to the host, which has 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from surgery.cost.segments import ON_BPU
from surgery.drift.quantised import Grid, quantised
from surgery.drift.taps import Drift, diff
from surgery.drift.thresholds import Method, thresholds
from surgery.ir.graph import Constant, Node, Tensor, Value
from surgery.pipeline.view import folded
from surgery.report.simulated import LayerSqnr, SimulatedDiff, SimulatedOutputs
from surgery.report.value import value_drifts
from surgery.target import Placement, Target, place
from surgery.target.folds import CONVOLUTIONS, RESHAPES

if TYPE_CHECKING:
    from surgery.drift.inputs import InputSet
    from surgery.ir import Model

MOVES = RESHAPES | {
    "Transpose", "Slice", "Split", "Gather", "MaxPool", "DepthToSpace", "SpaceToDepth", "Identity", "Expand", "Tile",
    "Relu", "Clip", "Pad",
}  # fmt: skip
"""What makes no number that its input has not, but zeros and bounds: the result stays on the input's grid."""
ONLY_INT8 = frozenset({"bernoulli2"})
"""Marches without int16."""
POOR, LOSS = 25.0, 6.0
"""dB of SQNR below which a layer is asked about, and that it has to lose by itself to be suggested for int16."""


def grid_of(placement: Placement, int16: Sequence[str] = ()) -> Grid:
    """What a march rounds of a placed model; 16 bits for what the nodes named ``int16`` read and make."""
    around = _Around(placement)
    values: dict[str, int] = {}
    weights: dict[str, int | None] = {}
    for node in (row.node for row in placement.live if around.on_bpu(row.node)):
        bits = 16 if node.name in int16 else 8
        for tensor in filter(around.is_float, node.inputs):
            if isinstance(tensor, Constant):
                weights |= {tensor.name: _axis(node)} if tensor is node.input(1) and node.op in _WEIGHTED else {}
            elif bits == 16 or not around.made_on_bpu(tensor):
                values[tensor.name] = max(bits, values.get(tensor.name, 8))
        values |= {out.name: bits for out in node.outputs if around.is_float(out) and around.is_rounded(node, out)}
    return Grid(values, weights)


class _Around:
    """What stands around the nodes of a placement."""

    def __init__(self, placement: Placement) -> None:
        self.placement, self.home = placement, placement.folds.home

    def on_bpu(self, node: Node) -> bool:
        """Whether it runs there, by itself or as a part of another, or may, as far as is known."""
        return self.placement.device(self.home(node)) in ON_BPU

    def is_float(self, tensor: Tensor) -> bool:
        """Whether it is a float tensor that is there at all."""
        return not tensor.is_empty() and tensor.dtype == np.float32

    def made_on_bpu(self, tensor: Tensor) -> bool:
        """Whether a node on the BPU computes it; what is known before running needs no grid."""
        known = self.placement.folds.is_constant(tensor)
        return known or (tensor.producer is not None and self.on_bpu(tensor.producer))

    def is_rounded(self, node: Node, out: Value) -> bool:
        """Whether the result of a node on the BPU is rounded there."""
        readers = [reader for reader in out.consumers if self.home(reader) is not self.home(node)]
        inside = not readers and len(out.consumers) > 0
        to_host = self.home(node).op in CONVOLUTIONS and not any(map(self.on_bpu, readers))
        return not inside and not to_host and (node.op not in MOVES or self.home(node) is not node)


_WEIGHTED = CONVOLUTIONS | {"MatMul"}


def _axis(node: Node) -> int | None:
    """The axis of the output channels in the weights of ``node``; None where they have none of their own."""
    weight = node.inputs[1]
    if node.op == "ConvTranspose":
        depthwise = weight.shape is not None and weight.shape[1] == 1
        return 0 if depthwise else 1 if node.attrs.get("group", 1) == 1 else None
    if node.op == "Conv" or (node.op == "Gemm" and node.attrs.get("transB", 0)):
        return 0
    return len(weight.shape or ()) - 1


class Simulation:
    """A model and its quantised form on a march.

    Attributes:
        model: as the toolchain's converter has it.
        grid: what is rounded.
        assumed: nodes that count as on the BPU though nothing public says that they run there.
        made: the quantised form.
    """

    def __init__(
        self, model: Model, target: Target, inputs: InputSet, method: Method, int16: Sequence[str] = ()
    ) -> None:
        self.model = folded(model)
        placement = place(self.model, target)
        grid = grid_of(placement, int16)
        self.assumed = sum(row.device in ON_BPU and row.device != "bpu" for row in placement.live)
        known = {v.name: v for v in (*self.model.graph.inputs, *_made(self.model)) if isinstance(v, Value)}
        found = thresholds(self.model, [known[name] for name in grid.values], inputs.samples, method)
        self.grid = grid
        self.made = quantised(self.model, grid, found)
        self._inputs = inputs

    @cached_property
    def drift(self) -> Drift:
        """Of the quantised form from the model, values of one name included."""
        return diff(self.model, self.made, self._inputs, noise=False)

    @property
    def sqnr(self) -> dict[str, float]:
        """By name, in dB, of every rounded value and output that has an error."""
        return {d.name: d.sqnr_db for d in (*self.drift.taps, *self.drift.outputs) if np.isfinite(d.sqnr_db)}

    def losing(self) -> list[str]:
        """The nodes, in order, whose result is poor though what they read is not."""
        sqnr = self.sqnr
        found = []
        for node in self.model.graph.nodes:
            read = min((sqnr[t.name] for t in node.inputs if t.name in sqnr), default=np.inf)
            made = min(
                (sqnr[v.name] for v in node.outputs if v.name in sqnr and v.name in self.grid.values), default=np.inf
            )
            if made < POOR and read - made > LOSS:
                found.append(node.name)
        return found


def _made(model: Model) -> list[Value]:
    return [value for node in model.graph.nodes for value in node.outputs]


def diff_simulated(
    reference: Model, candidate: Model, inputs: InputSet, target: Target, method: Method = Method.MAX
) -> SimulatedDiff:
    """Both models as ``target`` quantises them, each against itself in float, calibrated on ``inputs``."""
    before, after = (Simulation(model, target, inputs, method) for model in (reference, candidate))
    sides: tuple[tuple[Literal["A", "B"], Simulation], ...] = (("A", before), ("B", after))
    rows = [_row(name, side) for name, side in sides]
    suggested = [] if target.name in ONLY_INT8 else after.losing()
    if suggested:
        wider = Simulation(candidate, target, inputs, method, suggested)
        rows.append(_row("B", wider, int16=True))
    return SimulatedDiff(
        march=target.name,
        method=method.value,
        samples=len(inputs.samples),
        rows=tuple(rows),
        layers=tuple(_layers(before, after)),
        int16=tuple(suggested),
    )


def _row(model: Literal["A", "B"], side: Simulation, *, int16: bool = False) -> SimulatedOutputs:
    outputs = value_drifts(side.drift.outputs)
    return SimulatedOutputs(
        model=model, int16=int16, rounded=len(side.grid.values), assumed=side.assumed, outputs=outputs
    )


def _layers(before: Simulation, after: Simulation) -> list[LayerSqnr]:
    makers = {value.name: node for node in after.model.graph.nodes for value in node.outputs}
    then = before.sqnr
    return [
        LayerSqnr(value=name, node=makers[name].name, op=makers[name].op, before=then.get(name), after=sqnr)
        for name, sqnr in after.sqnr.items()
        if name in makers and (name in after.grid.values or name in {d.name for d in after.drift.outputs})
    ]
