"""The depth of three-dimensional windows, apart from their height and width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surgery.ir import Node, ops
from surgery.rewrite import Mismatch, need


@dataclass(frozen=True)
class Window:
    """What a kernel does along depth; ``pads`` are those before and behind."""

    size: int
    stride: int
    dilation: int
    pads: tuple[int, int]


def window(node: Node) -> Window:
    """The window of a convolution or pooling of rank 5 along depth; raises Mismatch where it is not known."""
    kernel, pads = ops.kernel_shape(node), ops.pads(node)
    if kernel is None or pads is None or len(kernel) != 3:
        raise Mismatch("the kernel and the pads of three axes must be known", node)
    strides, dilations = ops.spatial(node, "strides", 3), ops.spatial(node, "dilations", 3)
    return Window(kernel[0], strides[0], dilations[0], (pads[0], pads[3]))


def depths(node: Node) -> list[list[tuple[int, int]]]:
    """For every layer of the result, the taps along depth that see no padding: index in the kernel, layer seen."""
    found = window(node)
    before, after = need.static(node.inputs[0], node)[2], need.static(node.outputs[0], node)[2]
    starts = [layer * found.stride - found.pads[0] for layer in range(after)]
    taps = [[(k, start + k * found.dilation) for k in range(found.size)] for start in starts]
    return [[(k, layer) for k, layer in seen if 0 <= layer < before] for seen in taps]


def flat(node: Node) -> dict[str, Any]:
    """The attributes of the window along height and width alone, all stated."""
    pads, kernel = ops.pads(node) or [0] * 6, ops.kernel_shape(node) or [1] * 3
    attrs = {k: v for k, v in node.attrs.items() if k not in ("auto_pad", "group")}
    attrs |= {
        "kernel_shape": kernel[1:],
        "pads": [*pads[1:3], *pads[4:6]],
        "strides": ops.spatial(node, "strides", 3)[1:],
    }
    if node.op == "Conv" or "dilations" in attrs:
        attrs["dilations"] = ops.spatial(node, "dilations", 3)[1:]
    return attrs
