"""Small integers that older opsets do not compute with: by way of a wider type, which holds the same numbers."""

from __future__ import annotations

import numpy as np
import onnx

from passes.opset.base import Form, Restate
from passes.opset.generic import takes
from surgery.ir import Node, Tensor
from surgery.rewrite import Rewriter


def through(dtype: type[np.generic]) -> Restate:
    """Computed in ``dtype`` and cast back; exact, since sums and products wrap around in the cast as they do before."""
    wide = int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def restate(node: Node, rw: Rewriter) -> None:
        narrow = node.outputs[0].dtype
        if narrow is None or narrow.kind not in "iu" or takes(node.op, rw.opset, node.inputs[0]):
            return
        inputs = [_cast(rw, tensor, narrow, wide) for tensor in node.inputs]
        value = rw.op(node.op, *inputs, heir=node, **node.attrs)
        back = int(onnx.helper.np_dtype_to_tensor_dtype(narrow))
        rw.replace_value(node.outputs[0], rw.op("Cast", value, to=back))
        rw.remove(node)

    return restate


def _cast(rw: Rewriter, tensor: Tensor, narrow: np.dtype[np.generic], wide: int) -> Tensor:
    """``tensor`` in the wide type if it is one of the narrow ones, as axes are not."""
    return rw.op("Cast", tensor, to=wide) if tensor.dtype == narrow else tensor


ARITHMETIC = {op: (Form(14, through(np.int32)),) for op in ("Add", "Sub", "Mul", "Div")}
EXTREMES = Form(12, through(np.int32))
"""Of a reduction."""
WINDOWS = Form(12, through(np.float32))
"""Of a pooling."""
