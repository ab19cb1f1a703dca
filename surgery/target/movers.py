"""What a single node is to those who move Reshapes and Transposes: a movement, a product, a look at single pixels."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import prod

from surgery.ir.graph import Constant, Node, Shape, Tensor, Value
from surgery.target.folds import RESHAPES
from surgery.target.moves import Move
from surgery.target.params import Params, Unknown
from surgery.target.shapes import Dims


def value_like(tensor: Tensor, shape: Shape | None) -> Value:
    """A value of the same name and type, of another shape."""
    return Value(tensor.name, tensor.dtype, shape)


def dims(tensor: Tensor) -> Dims:
    """The dims of a value known to be static."""
    assert tensor.is_static
    return tuple(dim for dim in tensor.shape or () if isinstance(dim, int))


def is_static(tensor: Tensor) -> bool:
    """Whether the dims of an operand are known, if it is given at all."""
    return tensor.is_empty() or tensor.is_static


def root_of(tensor: Tensor, past: AbstractSet[str]) -> Tensor:
    """The value that ``tensor`` is made of by elementwise operators, those of ``past``, that read nothing else."""
    while (maker := tensor.producer) is not None and maker.op in past:
        data = [each for each in maker.inputs if not isinstance(each, Constant) and not each.is_empty()]
        if len(data) != 1:
            break
        tensor = data[0]
    return tensor


def is_batched(tensor: Tensor) -> bool:
    """Whether one of the movements in a row that make ``tensor`` is a Reshape of a matrix to three dims."""
    while (maker := tensor.producer) is not None and maker.op in RESHAPES | {"Transpose"}:
        if (maker.inputs[0].rank, tensor.rank) == (2, 3):
            return True
        tensor = maker.inputs[0]
    return False


def move_of(node: Node, opset: int) -> Move | None:
    """The movement that a node is; None for others, and where a shape is not known.

    A Transpose that only moves dims of 1 is a Reshape.
    """
    if node.op not in RESHAPES and node.op != "Transpose":
        return None
    data, out = node.inputs[0], node.outputs[0]
    if not (node.is_onnx and data.is_static and out.is_static):
        return None
    if node.op != "Transpose":
        return Move(dims(data), dims(out))
    try:
        perm = tuple(Params(node, opset)["perm"])
    except Unknown:
        return None
    turned = [axis for axis in perm if dims(data)[axis] != 1]
    return Move(dims(data), dims(out), None if turned == sorted(turned) else perm)


def is_per_channel(held: Constant, shape: Dims) -> bool:
    """Whether a constant has one number for every channel of a map of that shape."""
    return len(shape) == 4 and held.shape[-3:] == (shape[1], 1, 1)


def is_product(node: Node) -> bool:
    """Whether a MatMul is by one constant matrix from the right."""
    held = node.input(1)
    return isinstance(held, Constant) and len(held.shape) >= 2 and prod(held.shape[:-2]) == 1


def is_left_product(node: Node) -> bool:
    """Whether a MatMul of rank 3 is by one constant matrix from the left."""
    held = node.input(0)
    return (
        isinstance(held, Constant) and len(held.shape) >= 2 and prod(held.shape[:-2]) == 1 and node.inputs[1].rank == 3
    )


def is_point(node: Node) -> bool:
    """Whether a convolution looks at one pixel at a time."""
    try:
        params = Params(node, 0)
        return params["rank"] == 4 and {*params["kernel"], *params["stride"]} == {1} and not any(params["pads"])
    except Unknown:
        return False
