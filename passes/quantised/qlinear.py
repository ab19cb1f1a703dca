"""Operators that compute on quantised values as float operators between dequantise and quantise nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.quantised.nodes import dequantised, levels
from surgery.ir import Constant, Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need


@dataclass(frozen=True)
class Form:
    """How a quantised operator lays out its inputs.

    Attributes:
        op: the float operator.
        operands: indices of the quantised operands, each followed by its scale and zero point.
        scale: index of the result's scale, followed by its zero point.
        bias: index of the int32 bias, whose scale is the product of the operands'; None without.
        axis: the axis of the second operand along which it may have a scale per channel.
        dropped: attributes that the float operator does not have.
    """

    op: str
    operands: tuple[int, ...]
    scale: int
    bias: int | None = None
    axis: int = 0
    dropped: tuple[str, ...] = ()


FORMS = {
    "QLinearConv": Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": Form("MatMul", (0, 3), 6, axis=-1),
    "QLinearAdd": Form("Add", (0, 3), 6),
    "QLinearMul": Form("Mul", (0, 3), 6),
    "QLinearGlobalAveragePool": Form("GlobalAveragePool", (0,), 3, dropped=("channels_last",)),
    "QLinearAveragePool": Form("AveragePool", (0,), 3, dropped=("channels_last",)),
    "QLinearSigmoid": Form("Sigmoid", (0,), 3),
    "QLinearLeakyRelu": Form("LeakyRelu", (0,), 3),
    "QGemm": Form("Gemm", (0, 3), 7, 6),
}
"""By operator: QLinearConv and QLinearMatMul are ONNX's, the others onnxruntime's."""


@dataclass(frozen=True)
class Quantised:
    """A quantised operator, its form, and its bias in float."""

    node: Node
    form: Form
    bias: np.ndarray[Any, Any] | None


class QLinear(Rule[Quantised]):
    """``QLinearConv(q, W) -> QuantizeLinear(Conv(DequantizeLinear(q), (W - zero) * scale))``, and so for its kin.

    Approximate: onnxruntime's integer kernels may round to the neighbouring step.
    """

    name, roots, custom = "qlinear-in-float", frozenset(FORMS), True
    purpose, exactness = Purpose.NORMALISE, Exactness.APPROXIMATE

    def match(self, node: Node, ctx: Context) -> Quantised | Mismatch:
        """Constant scales; values in one scale, weights in one or one per channel."""
        form = FORMS[node.op]
        if node.domain not in ("", "com.microsoft"):
            return Mismatch(f"is of domain {node.domain!r}, not ONNX's or onnxruntime's", node)
        if node.attrs.get("channels_last"):
            return Mismatch("has the channels last", node)
        factor: Any = 1.0
        for index in form.operands:
            scale, _ = levels(node, index + 1, index + 2)
            need.dtype(need.present(node, index + 2), node, "iu")
            if scale.size > 1 and not (index and isinstance(node.inputs[index], Constant)):
                return Mismatch(f"{node.inputs[index].name!r} has a scale per channel, it must have one", node)
            factor = factor * scale
        if levels(node, form.scale, form.scale + 1)[0].size > 1:
            return Mismatch("the result has a scale per channel, it must have one", node)
        if form.bias is None or node.input(form.bias) is None:
            return Quantised(node, form, None)
        bias = need.constant(node, form.bias).astype(np.float64) * factor.reshape(-1) * node.attrs.get("alpha", 1.0)
        return Quantised(node, form, bias.astype(np.float32))

    def rewrite(self, match: Quantised, rw: Rewriter) -> None:
        """Dequantise what it reads, compute, and quantise the result."""
        node, form = match.node, match.form
        operands: list[Tensor] = [_float(node, index, form, rw) for index in form.operands]
        if match.bias is not None:
            operands.append(rw.constant(match.bias, name=f"{node.name}/bias"))
        attrs = {name: value for name, value in node.attrs.items() if name not in form.dropped}
        value = rw.op(form.op, *operands, heir=node, **attrs)
        rw.replace(node, rw.op("QuantizeLinear", value, *_levels(node, form.scale)))


def _float(node: Node, index: int, form: Form, rw: Rewriter) -> Tensor:
    operand = node.inputs[index]
    if isinstance(operand, Constant):
        axis = form.axis % max(operand.rank, 1)
        if node.op == "QGemm":
            axis = 0 if node.attrs.get("transB") else 1
        array = dequantised(operand.values, *levels(node, index + 1, index + 2), axis)
        return rw.constant(array.astype(np.float32), name=operand.name)
    return rw.op("DequantizeLinear", operand, *_levels(node, index + 1))


def _levels(node: Node, index: int) -> Sequence[Tensor | None]:
    return [node.input(index), node.input(index + 1)]
