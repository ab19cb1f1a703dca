"""A product of more channels than one convolution takes, as the toolchain has it: several, and what joins them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgery.ir.graph import Constant, Node, Tensor, Value
from surgery.target.march import Sinking
from surgery.target.movers import dims
from surgery.target.shapes import Dims
from surgery.target.verdict import Violation

PARTS = 2
"""Products that one becomes: of more than twice the channels of one the toolchain makes none, it stays on the CPU."""
JOINTS = frozenset({"Split", "Concat"})
"""What cuts and joins the maps of parts; the limits of such nodes of a model do not apply to it."""


def part_products(node: Node, source: Tensor, made: Dims, joint: Dims) -> list[Node]:
    """The nodes that a product becomes, the one that makes its result last.

    Where more channels are read than made, these are split and the products of the pieces added; otherwise the maps
    made are joined.

    Args:
        node: the product.
        source: the map that it reads, channels at axis 1.
        made: the map that it makes.
        joint: the shape in which maps are joined.
    """
    read = dims(source)
    return _deep(node, source, read, made) if read[1] > made[1] else _broad(node, source, made, joint)


def misfit(parts: Sequence[Node], rules: Sinking) -> Violation | None:
    """Why the compiler fails on what cuts or joins the parts; None where it does not.

    Channels above the width of one convolution are a multiple of ``rules.multiple``, or, where no part is moved, one
    more than that.
    """
    channels = max(dims(tensor)[1] for node in parts for tensor in (node.inputs[0], node.outputs[0]))
    rest = channels % rules.multiple
    if rest == 0 or (rest == 1 and not any(node.op == "Reshape" for node in parts)):
        return None
    product = next(node.op for node in parts if node.op not in (*JOINTS, "Reshape", "Add"))
    text = "the compiler fails on parts of a product whose channels are no multiple, where they are quantised"
    allowed = f"a multiple of {rules.multiple} above {rules.widest}"
    return Violation(f"{product}.parts", channels, allowed, text, rules.source, rules.evidence)


def _deep(node: Node, source: Tensor, read: Dims, made: Dims) -> list[Node]:
    pieces = [_value(node, f"piece{n}", (read[0], size, *read[2:])) for n, size in enumerate(_halves(read[1]))]
    split = Node("Split", "", {"axis": 1}, [source], list(pieces))
    products = [_product(node, n, piece, made) for n, piece in enumerate(pieces)]
    total = Node("Add", "", {}, [each.outputs[0] for each in products], [_value(node, "sum", made)])
    return [split, *products, total]


def _broad(node: Node, source: Tensor, made: Dims, joint: Dims) -> list[Node]:
    sizes = _halves(made[1])
    products = [_product(node, n, source, (made[0], size, *made[2:])) for n, size in enumerate(sizes)]
    maps = [each.outputs[0] for each in products]
    moved = [] if made[2:] == joint[2:] else [_reshaped(node, n, part, joint) for n, part in enumerate(maps)]
    data = [each.outputs[0] for each in moved or products]
    return [*products, *moved, Node("Concat", "", {"axis": 1}, data, [_value(node, "concat", joint)])]


def _product(node: Node, number: int, source: Tensor, made: Dims) -> Node:
    weight = np.broadcast_to(np.ones((), node.outputs[0].dtype), (dims(source)[1], made[1]))
    matrix = Constant(f"{node.name}_matrix{number}", weight)
    return Node(node.op, "", dict(node.attrs), [source, matrix], [_value(node, f"part{number}", made)])


def _reshaped(node: Node, number: int, part: Tensor, joint: Dims) -> Node:
    shape = (joint[0], dims(part)[1], *joint[2:])
    target = Constant(f"{node.name}_shape{number}", np.array(shape, np.int64))
    return Node("Reshape", "", {}, [part, target], [_value(node, f"moved{number}", shape)])


def _value(node: Node, kind: str, shape: Dims) -> Value:
    return Value(f"{node.outputs[0].name}_{kind}", node.outputs[0].dtype, shape)


def _halves(channels: int) -> tuple[int, int]:
    return channels - channels // PARTS, channels // PARTS
