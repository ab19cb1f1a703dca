"""Bounds of integers, mixed powers and remainders: what older opsets have for some types alone."""

from __future__ import annotations

import numpy as np
import onnx

from passes.opset.base import Form
from passes.opset.generic import takes
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Mismatch, Rewriter


def bounds_by_choice(node: Node, rw: Rewriter) -> None:
    """``Min``, ``Max`` and ``Clip`` of integers: by comparing and choosing; the same integers."""
    if takes(node.op, rw.opset, node.inputs[0]):
        return
    value = node.inputs[0]
    if node.op == "Clip":
        for tensor, op in ((node.input(1), "Max"), (node.input(2), "Min")):
            value = value if tensor is None else _choose(op, value, tensor, rw)
    else:
        for tensor in node.inputs[1:]:
            value = _choose(node.op, value, tensor, rw)
    rw.replace(node, value)


def _choose(op: str, a: Tensor, b: Tensor, rw: Rewriter) -> Tensor:
    return rw.op("Where", rw.op("Less" if op == "Min" else "Greater", a, b), a, b)


def one_dtype(node: Node, rw: Rewriter) -> None:
    """``Pow`` with an exponent of another type than the base: of the same."""
    base, exponent = node.inputs
    if base.dtype == exponent.dtype or base.dtype is None or exponent.dtype is None:
        return
    if not isinstance(exponent, Constant):
        rw.editor.set_input(node, 1, rw.op("Cast", exponent, to=_elem(base)))
        return
    with np.errstate(over="ignore", invalid="ignore"):
        cast = exponent.values.astype(base.dtype)
    if not np.array_equal(cast.astype(np.float64), exponent.values.astype(np.float64)):
        raise Mismatch(f"the exponent {exponent.name!r} does not fit into {base.dtype}, the type of the base", node)
    rw.editor.set_input(node, 1, rw.constant(cast, name=exponent.name))


def _elem(tensor: Tensor) -> int:
    assert tensor.dtype is not None
    return int(onnx.helper.np_dtype_to_tensor_dtype(tensor.dtype))


def remainder_of_division(node: Node, _: Rewriter) -> None:
    """``Mod`` of floats has the sign of the divisor only in newer opsets, older ones want ``fmod``."""
    dtype = node.inputs[0].dtype
    if dtype is not None and dtype.kind == "f" and not ops.attr(node, "fmod", 0):
        raise Mismatch(f"fmod=0 on {dtype}, older opsets have it for integers alone", node)


FORMS = {
    **{op: (Form(12, bounds_by_choice),) for op in ("Min", "Max", "Clip")},
    "Mod": (Form(28, remainder_of_division),),
    "Pow": (Form(12, one_dtype),),
}
"""These operators."""
