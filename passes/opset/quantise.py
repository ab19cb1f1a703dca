"""QuantizeLinear and DequantizeLinear with a scale per channel, which came with opset 13."""

from __future__ import annotations

import numpy as np
import onnx

from passes.opset.base import Form, drop, is_one, scalar_constant
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Mismatch, Rewriter, build, need

LEVELS = {np.dtype(np.int8): (-128.0, 127.0), np.dtype(np.uint8): (0.0, 255.0)}
"""What the quantised types of opset 10 hold."""


def one_scale(node: Node, rw: Rewriter) -> None:
    """With one scale the axis goes; with several the arithmetic is written out, in the order that the kernels have."""
    if is_one(node.inputs[1]):
        scalar_constant(node, 1, rw)
        scalar_constant(node, 2, rw)
        drop(node, "axis", rw)
        return
    if ops.attr(node, "block_size", 0):
        raise Mismatch(f"block_size={node.attrs['block_size']}, older opsets have one scale per channel at most", node)
    value = node.inputs[0]
    if node.op == "DequantizeLinear":
        rw.replace(node, _dequantised(node, value, rw))
    else:
        rw.replace(node, _quantised(node, value, rw))


def _dequantised(node: Node, value: Tensor, rw: Rewriter) -> Tensor:
    scale, zero = _operands(node, rw)
    number: Tensor = rw.op("Cast", value, to=onnx.TensorProto.FLOAT)
    if zero is not None:
        number = rw.op("Sub", number, zero)
    return rw.op("Mul", number, scale)


def _quantised(node: Node, value: Tensor, rw: Rewriter) -> Tensor:
    dtype = node.outputs[0].dtype
    if dtype is None or dtype not in LEVELS:
        raise Mismatch(f"{node.outputs[0].name!r} is {dtype}, it must be int8 or uint8", node)
    scale, zero = _operands(node, rw)
    number: Tensor = rw.op("Round", rw.op("Div", value, scale))
    if zero is not None:
        number = rw.op("Add", number, zero)
    held = build.clip(rw, number, *LEVELS[dtype])
    return rw.op("Cast", held, to=int(onnx.helper.np_dtype_to_tensor_dtype(dtype)))


def _operands(node: Node, rw: Rewriter) -> tuple[Tensor, Tensor | None]:
    """Scale and zero point (None where all are 0) as float32 constants that broadcast along the axis."""
    rank = need.rank(node.inputs[0], node)
    axis = ops.axis(node, 1)
    shape = [-1 if i == axis else 1 for i in range(rank)]
    scale = need.constant(node, 1)
    if scale.dtype != np.float32 or scale.ndim != 1:
        raise Mismatch(f"the scale is {scale.dtype} of rank {scale.ndim}, it must be float32 of rank 1", node)
    zero = None if node.input(2) is None else need.constant(node, 2)
    made = rw.constant(scale.reshape(shape), name=node.inputs[1].name)
    if zero is None or not zero.any():
        return made, None
    return made, rw.constant(zero.astype(np.float32).reshape(shape), name=node.inputs[2].name)


FORMS = {op: (Form(13, one_scale),) for op in ("QuantizeLinear", "DequantizeLinear")}
"""These operators."""
