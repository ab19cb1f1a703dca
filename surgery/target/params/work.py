"""Multiply-accumulates of a node."""

from __future__ import annotations

from math import prod

from surgery.ir.graph import Node
from surgery.target.params.core import Params, Unknown


def macs(node: Node) -> int:
    """Multiply-accumulates of one run; 0 for operators without, and where the dims are symbolic.

    >>> macs(Node("Relu"))
    0
    """
    count = _MACS.get(node.op)
    if count is None or not node.is_onnx:
        return 0
    try:
        return count(Params(node, 0))
    except Unknown:
        return 0


def _conv_macs(p: Params) -> int:
    return int(p["bytes_out"]) * int(p["kernel_volume"])


def _transpose_macs(p: Params) -> int:
    return int(p["bytes_in"]) * int(prod(p["kernel"])) * int(p["out_channels_per_group"])


def _matrix_macs(p: Params) -> int:
    return int(p["bytes_out"]) * int(p["inner"])


_MACS = {"Conv": _conv_macs, "ConvTranspose": _transpose_macs, "Gemm": _matrix_macs, "MatMul": _matrix_macs}
