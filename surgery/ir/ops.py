"""Opset-neutral reading of operators: an attribute in one opset, a constant input in the next.

Each accessor returns the value in force, defaults included, or None where it is not known at load time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from surgery.ir.graph import Constant, Node, Tensor

_AXES_INPUT = {
    "Squeeze": 1,
    "Unsqueeze": 1,
    "ReduceSum": 1,
    "ReduceMean": 1,
    "ReduceMax": 1,
    "ReduceMin": 1,
    "ReduceProd": 1,
    "ReduceL1": 1,
    "ReduceL2": 1,
    "ReduceLogSum": 1,
    "ReduceLogSumExp": 1,
    "ReduceSumSquare": 1,
    "Pad": 3,
    "Slice": 3,
}


def constant(tensor: Tensor | None) -> np.ndarray[Any, Any] | None:
    """The array of a constant, None for anything else."""
    return tensor.values if isinstance(tensor, Constant) else None


def scalar(tensor: Tensor | None) -> float | None:
    """The one element of a constant of one element, whatever its rank; None for anything else."""
    if not isinstance(tensor, Constant) or int(np.prod(tensor.shape)) != 1 or tensor.dtype.kind not in "fiub":
        return None
    return float(tensor.values.reshape(()))


def attr(node: Node, name: str, default: Any) -> Any:
    """An attribute or its default."""
    return node.attrs.get(name, default)


def ints(node: Node, name: str, index: int) -> list[int] | None:
    """Integers from attribute ``name`` or else from constant input ``index``; None when neither is there."""
    value = node.attrs.get(name)
    if value is None:
        array = constant(node.input(index))
        value = None if array is None else array.reshape(-1).tolist()
    return None if value is None else [int(v) for v in value]


def axes(node: Node) -> list[int] | None:
    """The axes, not negative where the rank is known, in the order given; None when absent or not constant."""
    found = ints(node, "axes", _AXES_INPUT.get(node.op, 1))
    if found is None or (node.op == "Unsqueeze" and node.outputs[0].rank is None):
        return found
    like: Tensor = node.outputs[0] if node.op == "Unsqueeze" else node.inputs[0]
    return found if like.rank is None else [a + like.rank if a < 0 else a for a in found]


def axis(node: Node, default: int) -> int:
    """Attribute ``axis``, not negative where the rank of the first input is known."""
    value = int(node.attrs.get("axis", default))
    rank = node.inputs[0].rank
    return value + rank if value < 0 and rank is not None else value


def spatial(node: Node, name: str, rank: int, default: int = 1) -> list[int]:
    """A per-axis attribute of a convolution or pooling (strides, dilations) for ``rank`` spatial axes."""
    return [int(v) for v in node.attrs.get(name) or [default] * rank]


def pads(node: Node) -> list[int] | None:
    """Begin pads, then end pads of a convolution, pooling or Pad; None where auto_pad or a value decides later."""
    if node.op == "Pad":
        return ints(node, "pads", 1) if "paddings" not in node.attrs else list(node.attrs["paddings"])
    mode = node.attrs.get("auto_pad", "NOTSET")
    rank = spatial_rank(node)
    if rank is None:
        return None
    if mode == "NOTSET":
        return [int(v) for v in node.attrs.get("pads") or [0] * (2 * rank)]
    if mode == "VALID":
        return [0] * (2 * rank)
    return same_pads(node, rank, upper=mode == "SAME_UPPER")


def same_pads(node: Node, rank: int, *, upper: bool) -> list[int] | None:
    """The pads that ``auto_pad`` SAME_UPPER or SAME_LOWER comes to for the input's static size."""
    shape, kernel = node.inputs[0].shape, kernel_shape(node)
    if shape is None or kernel is None or node.op == "ConvTranspose":
        return None
    begin, end = [], []
    strides, dilations = spatial(node, "strides", rank), spatial(node, "dilations", rank)
    for size, k, s, d in zip(shape[2:], kernel, strides, dilations, strict=True):
        if not isinstance(size, int):
            return None
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        small, large = total // 2, total - total // 2
        begin.append(small if upper else large)
        end.append(large if upper else small)
    return begin + end


def kernel_shape(node: Node) -> list[int] | None:
    """Kernel sizes from the attribute, or from the weight of a convolution."""
    if "kernel_shape" in node.attrs:
        return [int(v) for v in node.attrs["kernel_shape"]]
    weight = node.input(1)
    if weight is None or weight.shape is None or not all(isinstance(d, int) for d in weight.shape[2:]):
        return None
    return [int(d) for d in weight.shape[2:] if isinstance(d, int)]


def spatial_rank(node: Node) -> int | None:
    """Number of spatial axes of a convolution or pooling."""
    kernel = kernel_shape(node)
    if kernel is not None:
        return len(kernel)
    return None if node.inputs[0].rank is None else node.inputs[0].rank - 2


def clip_bounds(node: Node) -> tuple[float | None, float | None] | None:
    """Lower and upper bound of a Clip, None for an open side; None for the whole when a bound is not constant."""
    sides = [_bound(node, name, index) for index, name in enumerate(("min", "max"), start=1)]
    if not all(known for known, _ in sides):
        return None
    return sides[0][1], sides[1][1]


def _bound(node: Node, name: str, index: int) -> tuple[bool, float | None]:
    """Whether one bound is known, and which it is; None for an open side."""
    if name in node.attrs:
        return True, float(node.attrs[name])
    tensor = node.input(index)
    if tensor is None:
        return True, None
    value = scalar(tensor)
    return value is not None, value


def permutation(node: Node) -> list[int] | None:
    """The permutation of a Transpose; None when the rank is unknown and it is the default."""
    perm = node.attrs.get("perm")
    if perm is not None:
        return [int(p) for p in perm]
    rank = node.inputs[0].rank
    return None if rank is None else list(range(rank))[::-1]


def split_sizes(node: Node) -> list[int] | None:
    """Sizes along the axis of a Split: stated, or equal parts of a static size."""
    stated = ints(node, "split", 1)
    if stated is not None:
        return stated
    shape, count = node.inputs[0].shape, len(node.outputs)
    size = None if shape is None else shape[axis(node, 0)]
    if not isinstance(size, int):
        return None
    part = -(-size // count)
    return [part] * (count - 1) + [size - part * (count - 1)]


def static_shape(tensor: Tensor | None) -> tuple[int, ...] | None:
    """The shape as integers, None unless every dim is known."""
    shape = None if tensor is None else tensor.shape
    if shape is None:
        return None
    known: list[int] = []
    for size in shape:
        if not isinstance(size, int):
            return None
        known.append(size)
    return tuple(known)


def output_axis(node: Node, weight: Tensor) -> int | None:
    """The axis of a layer's ``weight`` that holds output channels; None where it is no layer."""
    if node.op in ("Conv", "ConvTranspose"):
        return 0 if node.op == "Conv" else 1
    if node.op not in ("Gemm", "MatMul") or weight.rank is None:
        return None
    right = weight is node.inputs[1]
    turned = bool(node.attrs.get("transB" if right else "transA", 0))
    return weight.rank - (1 if right != turned else 2)
