"""Quantised models as float models, which the vendor's toolchain quantises itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from passes.quantised.nodes import Dequantise, DropPair, SinkDequantise
from passes.quantised.qlinear import FORMS, QLinear
from surgery.ir import Constant, Node
from surgery.pipeline import Outcome, Pass, PassRun, Scale
from surgery.rewrite import Rule


class LiftQuantisation(Pass):
    """Compute a quantised model in float: QLinear operators, and pairs of quantise and dequantise nodes in the body.

    Approximate: the rounding of values to steps goes away, so that a budget is needed. What the ends of a range cut off
    is still cut off, among it the negative half where a Relu was absorbed. Scales and zero points are kept in the
    report, and beside the model as ``<model>.scales.json``. Quantised inputs and outputs stay: see strip-io-nodes.
    """

    name: ClassVar[str] = "lift-quantisation"
    first: ClassVar[bool] = True

    saturation: Literal["clip", "relu"] = "clip"
    """clip: keep both bounds of every range. relu: only the lower one of those that begin at 0, which may be faster."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """QLinear operators as dequantise, operator and quantise first; then pairs meet."""
        return (QLinear(), Dequantise(), SinkDequantise(), DropPair(clip=self.saturation == "clip"))

    def run(self, run: PassRun) -> Outcome:
        """Apply the rules, and tell what the scales were."""
        scales = tuple(_scales(run))
        outcome = super().run(run)
        if outcome.stats.applied:
            outcome.scales = scales
        return outcome


def _scales(run: PassRun) -> Iterator[Scale]:
    """Constant scales and zero points of quantised tensors, by the name of the float tensor where there is one."""
    for node in run.model.nodes():
        if node.op == "QuantizeLinear" or (node.op == "DequantizeLinear" and isinstance(node.inputs[0], Constant)):
            yield from _scale(node.inputs[0].name, node, 1, 2)
        elif (form := FORMS.get(node.op)) is not None:
            yield from _scale(node.outputs[0].name, node, form.scale, form.scale + 1)


def _scale(name: str, node: Node, scale: int, zero: int) -> Iterator[Scale]:
    by, at = node.input(scale), node.input(zero)
    if isinstance(by, Constant) and isinstance(at, Constant | None):
        points = [0] if at is None else at.values.reshape(-1).tolist()
        dtype = "uint8" if at is None else str(at.dtype)
        axis = int(node.attrs.get("axis", 1)) if by.values.size > 1 else None
        yield Scale(name, dtype, tuple(map(float, by.values.reshape(-1).tolist())), tuple(map(int, points)), axis)


__all__ = ["LiftQuantisation"]
