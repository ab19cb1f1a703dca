"""A product of more channels than one convolution takes, as the toolchain has it: several, and what joins them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from surgery.ir.graph import Constant, Node, Tensor, Value
from surgery.target.shapes import Dims

PARTS = 2
"""Products that one becomes; the toolchain makes two up to twice the channels, more were not seen to be taken."""


def part_products(node: Node, source: Tensor, made: Dims, deep: bool) -> list[Node]:
    """The nodes that a product becomes, the one that makes its result last.

    Args:
        node: the product.
        source: the map that it reads, channels at axis 1.
        made: the map that it makes.
        deep: whether it is the channels read that are too many: these are split, and the products of the pieces added.
            Otherwise those made are, and the maps are joined.
    """
    return _deep(node, source, made) if deep else _broad(node, source, made)


def _deep(node: Node, source: Tensor, made: Dims) -> list[Node]:
    before = tuple(dim for dim in source.shape or () if isinstance(dim, int))
    pieces = [_value(node, f"piece{n}", (before[0], part, *before[2:])) for n, part in enumerate(_parts(before[1]))]
    split = Node("Split", f"{node.name}_split", {"axis": 1}, [source], pieces)
    products = [_product(node, n, piece, made) for n, piece in enumerate(pieces)]
    total = Node("Add", f"{node.name}_sum", {}, [each.outputs[0] for each in products], [_value(node, "sum", made)])
    return [split, *products, total]


def _broad(node: Node, source: Tensor, made: Dims) -> list[Node]:
    shapes = [(made[0], part, *made[2:]) for part in _parts(made[1])]
    products = [_product(node, n, source, shape) for n, shape in enumerate(shapes)]
    outs = [each.outputs[0] for each in products]
    return [*products, Node("Concat", f"{node.name}_concat", {"axis": 1}, outs, [_value(node, "concat", made)])]


def _product(node: Node, number: int, source: Tensor, made: Dims) -> Node:
    shape = source.shape or ()
    weight = np.broadcast_to(np.ones((), node.outputs[0].dtype), (shape[1], made[1]))
    matrix = Constant(f"{node.name}_matrix{number}", weight)
    return Node(node.op, f"{node.name}_part{number}", dict(node.attrs), [source, matrix], [_value(node, f"part{number}", made)])


def _value(node: Node, kind: str, shape: Dims) -> Value:
    return Value(f"{node.outputs[0].name}_{kind}", node.outputs[0].dtype, shape)


def _parts(channels: int) -> Iterable[int]:
    return (channels - channels // PARTS, channels // PARTS)
