"""Windows of one element, dilations of one, reductions over axes of one, resizing by one."""

from __future__ import annotations

from dataclasses import dataclass

from passes.noops.bypass import Drop, same_shape
from surgery.ir import Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule


class DropPool(Drop):
    """MaxPool and AveragePool with a window of one element, stride 1 and no padding."""

    name, roots = "drop-pool", frozenset({"MaxPool", "AveragePool"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input."""
        kernel = ops.kernel_shape(node) or []
        if set(kernel) != {1}:
            raise Mismatch(f"has a window of {kernel}, every size must be 1", node)
        if set(ops.spatial(node, "strides", len(kernel))) != {1}:
            raise Mismatch(f"has strides {node.attrs['strides']}, every stride must be 1", node)
        pads = ops.pads(node)
        if pads is None or any(pads):
            raise Mismatch(f"has pads {pads}, every pad must be 0", node)
        return node.inputs[0]


@dataclass(frozen=True)
class Idle:
    """A convolution or pooling, and its dilations where each does something."""

    node: Node
    dilations: list[int]


class IdleDilation(Rule[Idle]):
    """A dilation along an axis where the kernel is 1 is written as 1: at others the compiler of the X3 fails."""

    name, roots = "idle-dilation", frozenset({"Conv", "ConvTranspose", "MaxPool"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Idle | Mismatch:
        """A kernel of 1 along an axis with a dilation."""
        kernel = ops.kernel_shape(node)
        if kernel is None:
            return Mismatch("the size of its kernel must be known", node)
        given = ops.spatial(node, "dilations", len(kernel))
        idle = [1 if size == 1 else by for size, by in zip(kernel, given, strict=True)]
        if idle == given:
            return Mismatch(f"no dilation of {given} is along an axis where the kernel {kernel} is 1", node)
        return Idle(node, idle)

    def rewrite(self, match: Idle, rw: Rewriter) -> None:
        """The attribute alone is written anew."""
        rw.set_attr(match.node, "dilations", match.dilations)


class DropReduce(Drop):
    """Means, sums, products and extrema over axes of size 1 that stay in the shape; global pooling of one element."""

    name = "drop-reduce"
    roots = frozenset(
        {"ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "GlobalAveragePool", "GlobalMaxPool"}
    )

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input: where no size changed, every reduced one is 1."""
        if not node.inputs[0].is_static or node.inputs[0].rank == 0:
            raise Mismatch("the shape of its input must be known", node)
        return same_shape(node.inputs[0], node)


class DropResize(Drop):
    """Resize and Upsample to the size there is, by scales of exactly 1 or by sizes."""

    name, roots = "drop-resize", frozenset({"Resize", "Upsample"})

    def source(self, node: Node, ctx: Context) -> Tensor:
        """The input."""
        if node.attrs.get("coordinate_transformation_mode") == "tf_crop_and_resize":
            raise Mismatch("crops to a region of interest", node)
        scales = _scales(node, ctx)
        if scales is None:
            return same_shape(node.inputs[0], node)
        if set(scales) != {1.0}:
            raise Mismatch(f"has scales {scales}, every scale must be 1", node)
        return node.inputs[0]


def _scales(node: Node, ctx: Context) -> list[float] | None:
    """The scales; None when sizes are given instead. Raises Mismatch when the scales are not constant."""
    if "scales" in node.attrs:
        return [float(s) for s in node.attrs["scales"]]
    tensor = node.input(1 if node.op == "Upsample" or ctx.opset < 11 else 2)
    array = ops.constant(tensor)
    if tensor is not None and array is None:
        raise Mismatch("its scales must be constant", node)
    return None if array is None or array.size == 0 else [float(s) for s in array]
