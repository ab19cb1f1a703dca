"""Chains of Reshape, Transpose, DepthToSpace and SpaceToDepth in a graph, read as one permutation of elements."""

from __future__ import annotations

from dataclasses import dataclass

from passes.rank.axes import Grid, Move, block_move, move_of
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, need

FORMS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""Operators that give the same elements another shape."""
MOVES = frozenset({"Transpose", "DepthToSpace", "SpaceToDepth"})
"""Operators that only move elements."""
LONGEST = 8
"""How many nodes a chain is followed over."""


@dataclass(frozen=True)
class Site:
    """A chain that ends in ``last``, from ``source`` on.

    Attributes:
        node: its last node that moves anything.
        moves: how many nodes move something.
        before: shape of the source.
        after: shape of the result.
        move: what becomes of the elements in between.
    """

    node: Node
    moves: int
    last: Node
    source: Tensor
    before: tuple[int, ...]
    after: tuple[int, ...]
    move: Move

    @property
    def grid(self) -> Grid:
        """The source, which must be NxCxHxW."""
        return grid(self.before, self.source, self.node)

    @property
    def result(self) -> Grid:
        """The result, which must be NxCxHxW."""
        return grid(self.after, self.last.outputs[0], self.node)


def grid(shape: tuple[int, ...], tensor: Tensor, node: Node) -> Grid:
    """``shape`` of ``tensor`` as NxCxHxW; a Mismatch where it has another rank."""
    if len(shape) != 4:
        raise Mismatch(f"{tensor.name!r} has rank {len(shape)}, it must be 4", node)
    return (shape[0], shape[1], shape[2], shape[3])


def site(node: Node, ctx: Context) -> Site:
    """The chain whose last move is ``node``; shapes must be static, and elements must move."""
    last = _last(node, ctx)
    reader = _sole(last, ctx)
    if reader is not None and reader.op in MOVES:
        raise Mismatch(f"the chain goes on in {reader.name!r}, it is looked at from its last move", node)
    after = need.static(last.outputs[0], node)
    source, move, moves = _back(node)
    if isinstance(source, Constant):
        raise Mismatch(f"{source.name!r} is constant", node)
    return Site(node, moves, last, source, need.static(source, node), after, move)


def _back(node: Node) -> tuple[Tensor, Move, int]:
    """The source of the chain that ends in ``node``, what becomes of its elements, and by how many moves."""
    source, move, moves = node.inputs[0], _moved(node), 1
    for _ in range(LONGEST):
        maker = source.producer
        if maker is None or not maker.is_onnx or maker.op not in FORMS | MOVES:
            break
        before = move if maker.op in FORMS else _moved(maker).then(move)
        if before is None:
            break
        source, move, moves = maker.inputs[0], before, moves + (maker.op in MOVES)
    return source, move, moves


def _moved(node: Node) -> Move:
    """What one node does."""
    shape = need.static(node.inputs[0], node)
    if 0 in shape:
        raise Mismatch(f"{node.inputs[0].name!r} has no elements", node)
    if node.op == "Transpose":
        return move_of(shape, ops.permutation(node) or ())
    block, outer = int(node.attrs["blocksize"]), ops.attr(node, "mode", "DCR") in ("DCR", b"DCR")
    if node.op == "DepthToSpace":
        return block_move(grid(shape, node.inputs[0], node), block, blocks_outer=outer)
    return block_move(grid(need.static(node.outputs[0], node), node.outputs[0], node), block, blocks_outer=True).inverse


def _last(node: Node, ctx: Context) -> Node:
    """The last of the shape changes behind ``node`` that are read by nothing but the next."""
    for _ in range(LONGEST):
        reader = _sole(node, ctx)
        if reader is None or reader.op not in FORMS:
            break
        node = reader
    return node


def _sole(node: Node, ctx: Context) -> Node | None:
    """The only reader of what ``node`` computes, as its data."""
    value = node.outputs[0]
    if ctx.is_output(value) or len(value.outputs) != 1:
        return None
    reader = value.consumers[0]
    return reader if reader.is_onnx and reader.inputs[0] is value and reader.graph is node.graph else None
