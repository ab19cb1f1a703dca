"""A Gemm on a flattened feature map is a convolution with a kernel as large as the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.clamp.layer import read
from passes.clamp.spread import flattened_area
from passes.clamp.trial import channel_limits
from surgery.ir import Constant, Node
from surgery.ir.ops import attr
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need


@dataclass(frozen=True)
class Flat:
    """The Gemm, what flattens its input, and the shape of the kernels."""

    gemm: Node
    flatten: Node
    kernel: tuple[int, ...]


class ConvolveGemm(Rule[Flat]):
    """``Gemm(Flatten(x), W, b) -> Flatten(Conv(x, K, b))`` with W in the shape of kernels; the Conv is cut then.

    Cut as it is, the Gemm leaves a reshape of every part, and sums of rank 2, which some marches do not add: 40000
    inputs in five parts take 18.5 ms by the checker of bayes-e, and 0.6 ms as convolutions.

    Rounding: the sums are the same, added in another order.
    """

    name = "convolve-gemm"
    roots = frozenset({"Gemm"})
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = channel_limits("Gemm")

    def match(self, node: Node, ctx: Context) -> Flat | Mismatch:
        """The shape of the kernels, where the input is a flattened map."""
        flatten, layer = need.producer(node, 0, "Flatten", "Reshape"), read(node)
        shape = flatten.inputs[0].shape
        if flattened_area(flatten) is None or shape is None or len(shape) != 4 or layer.in_axis != 1:
            return Mismatch("the input must be a feature map of rank 4 with all but axis 0 merged", node)
        bias = layer.bias
        if bias is not None and not (isinstance(bias, Constant) and set(bias.shape[:-1]) <= {1}):
            return Mismatch(f"the bias {bias.name!r} must be constant and the same for every row", node)
        return Flat(node, flatten, (layer.work.outputs, *(d for d in shape[1:] if isinstance(d, int))))

    def rewrite(self, match: Flat, rw: Rewriter) -> None:
        """The convolution, and a Flatten of its output."""
        gemm, inputs = match.gemm, [match.flatten.inputs[0], self._kernels(match, rw)]
        if (bias := gemm.input(2)) is not None:
            values = _scaled(_values(bias), attr(gemm, "beta", 1.0))
            inputs.append(rw.constant(np.broadcast_to(values.reshape(-1), match.kernel[:1]), name=f"{bias.name}/conv"))
        conv = rw.op("Conv", *inputs, heir=gemm, dilations=[1, 1], kernel_shape=list(match.kernel[2:]))
        rw.replace(gemm, rw.op("Flatten", conv, axis=1))

    def _kernels(self, match: Flat, rw: Rewriter) -> Constant:
        weight = match.gemm.inputs[1]
        values = _scaled(_values(weight), attr(match.gemm, "alpha", 1.0))
        rows = values if attr(match.gemm, "transB", 0) else values.T
        return rw.constant(rows.reshape(match.kernel), name=f"{weight.name}/conv")


def _values(tensor: Any) -> np.ndarray[Any, Any]:
    assert isinstance(tensor, Constant)
    return tensor.values


def _scaled(values: np.ndarray[Any, Any], factor: float) -> np.ndarray[Any, Any]:
    return values if factor == 1 else (values * factor).astype(values.dtype)
