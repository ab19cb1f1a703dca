"""A graph as a toolchain has it that moves Reshapes and Transposes behind the operators they do not matter to.

The X3's optimiser lets an activation read what the Reshape before it reads, and the Reshape follow, so that what was of
rank 3 runs at rank 4, and movements that undo each other meet and vanish. A product by a constant matrix is a 1x1
convolution between movements. What waits is done only where something reads the value that cannot do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

import numpy as np

from surgery.ir.graph import Constant, Graph, Node, Tensor
from surgery.target.folds import RESHAPES
from surgery.target.lookups import shuffle_behind
from surgery.target.march import Sinking
from surgery.target.movers import (
    dims,
    is_batched,
    is_left_product,
    is_per_channel,
    is_point,
    is_product,
    is_static,
    move_of,
    root_of,
    value_like,
)
from surgery.target.moves import (
    FROM_CHANNELS,
    TO_CHANNELS,
    Move,
    Moves,
    behind_maps,
    behind_rows,
    is_passed,
    joined,
    keeps_order,
    piece_before,
    reshape,
    shared_end,
    transpose,
    undone,
)
from surgery.target.params import Params, Unknown
from surgery.target.shapes import Dims
from surgery.target.twin import Twin, Values
from surgery.target.wide import JOINTS, PARTS, misfit, part_products


def sunk(graph: Graph, rules: Sinking, opset: int) -> Twin | None:
    """The twin of ``graph``; None where nothing is moved, or where that cannot be said.

    Products are made convolutions of what everything else has moved behind already.
    """
    kinds = RESHAPES | {"Transpose"} | rules.products | rules.keeping | rules.roots
    if not rules.past or not any(node.op in kinds for node in graph.nodes):
        return None
    if any(True for node in graph.nodes for _ in node.bodies()):
        return None
    first = _moved(graph, rules.model_copy(update={"products": frozenset()}), opset)
    rest = rules.model_copy(update={"roots": frozenset()})
    then = _moved(graph if first is None else first.graph, rest, opset)
    if first is None or then is None:
        return first or then
    own = first.own
    merged = {own[node]: own[other] for node, other in then.merged.items() if node in own and other in own}
    then.own = {node: own[old] for node, old in then.own.items() if old in own}
    then.merged = first.merged | merged
    return then


def _moved(graph: Graph, rules: Sinking, opset: int) -> Twin | None:
    """The twin of ``graph`` by one set of rules; None where they move nothing."""
    walk = _Walk(graph, rules, opset)
    twin = walk.twin()
    return twin if walk.values.moved else None


class _Walk:
    """One way through the graph, in topological order, that makes its twin.

    Args:
        graph, rules, opset: as for :func:`sunk`.

    Attributes:
        values: of the twin.
    """

    def __init__(self, graph: Graph, rules: Sinking, opset: int) -> None:
        self.graph, self.rules, self.opset = graph, rules, opset
        ends = [(node, shuffle_behind(node)) for node in graph.nodes] if rules.shuffles_stay else []
        self.staying = {part for end, parts in ends for part in (end, *(parts or ())) if parts}
        self.values = Values(graph.name)

    def twin(self) -> Twin:
        """Walk."""
        made = self.values.twin.graph
        made.inputs = [self.values.held(tensor).source for tensor in self.graph.inputs]
        for node in self.graph.nodes:
            if not (self._waits(node) or self._passes(node)):
                self.values.copy(node)
        made.outputs = [self.values.real(tensor) for tensor in self.graph.outputs]
        return self.values.twin

    def _waits(self, node: Node) -> bool:
        """Let a Reshape or Transpose wait; whether ``node`` is one."""
        move = move_of(node, self.opset) if node not in self.staying else None
        if move is None or isinstance(node.inputs[0], Constant):
            return False
        held = self.values.held(node.inputs[0])
        moves = joined(held.moves, [move])
        self.values.hold(node.outputs[0], held.source, moves, by=node)
        if len(moves) != len(held.moves) + 1:
            self.values.moved = True
        return True

    def _passes(self, node: Node) -> bool:
        """Let ``node`` work on what waits to be moved, if it can."""
        if not node.is_onnx or not all(is_static(t) for t in (*node.inputs, *node.outputs)):
            return False
        if node.op in self.rules.pieces:
            return self._pieces(node)
        if len(node.outputs) != 1:
            return False
        if node.op in self.rules.roots:
            return self._root(node)
        if node.op in self.rules.keeping and not node.attrs.get("keepdims", 1):
            return self._kept(node)
        if self.rules.products and (becomes := self._product_of(node)) is not None:
            return becomes(node)
        waiting = [t for t in node.inputs if not isinstance(t, Constant) and self.values.held(t).moves]
        if not waiting:
            return False
        if node.op in self.rules.reductions:
            return self._reduction(node)
        if node.op in self.rules.points and is_point(node):
            return self._point(node)
        return node.op in self.rules.past and self._elementwise(node)

    def _product_of(self, node: Node) -> Callable[[Node], bool] | None:
        """The way in which the node becomes a convolution; None for others."""
        if node.op == "Gemm":
            return self._flat_product
        if node.op in self.rules.products and is_product(node):
            return self._product
        return self._left_product if node.op in self.rules.products and is_left_product(node) else None

    def _elementwise(self, node: Node) -> bool:
        shape = dims(node.outputs[0])
        computed = [t for t in node.inputs if not isinstance(t, Constant) and not t.is_empty()]
        full = [self.values.held(t).moves for t in computed if t.shape == shape]
        if not full:
            return False
        moves = full[0]
        count = len(moves)
        if not self._is_lookup(node, computed) and any(
            self.values.held(t) != self.values.held(computed[0]) for t in computed
        ):
            count = min(shared_end(moves, self.values.held(t).moves) for t in computed)
        moves = moves[len(moves) - count :]
        if any(prod(t.shape) > 1 for t in node.inputs if isinstance(t, Constant)) and any(map(is_batched, computed)):
            moves = behind_rows(moves)
        if not all(self._passes_maps(t, shape, moves) for t in node.inputs if isinstance(t, Constant)):
            moves = behind_maps(moves)
        count = len(moves)
        constants = {t: self._constant(t, shape, moves) for t in node.inputs if isinstance(t, Constant)}
        if not count or None in constants.values():
            return False
        inputs = [constants[t] or t if isinstance(t, Constant) else self.values.until(t, count) for t in node.inputs]
        self.values.work(node, inputs, moves[0].before, moves)
        return True

    def _is_lookup(self, node: Node, computed: Iterable[Tensor]) -> bool:
        """Whether all that a product reads is made of one value by activations, in front of the same movements."""
        held = [self.values.held(tensor) for tensor in computed]
        same = len({each.moves for each in held}) == 1 == len({root_of(each.source, self.rules.past) for each in held})
        return node.op == "Mul" and same

    def _passes_maps(self, tensor: Constant, shape: Dims, moves: Moves) -> bool:
        """Whether a constant is a number, or one a channel, of what is made or of what that was before ``moves``."""
        if prod(tensor.shape) == 1 or not moves or is_per_channel(tensor, shape):
            return True
        before, source = self._constant(tensor, shape, moves), moves[0].before
        return before is not None and is_per_channel(before, source) and prod(source[2:]) > 1

    def _constant(self, tensor: Constant, shape: Dims, moves: Moves) -> Constant | None:
        """A constant operand as it is before ``moves``, in shape; None where it cannot be."""
        if prod(tensor.shape) == 1 or not moves:
            return Constant(tensor.name, tensor.weight)
        if len(tensor.shape) > len(shape):
            return None
        found = undone((1,) * (len(shape) - len(tensor.shape)) + tensor.shape, moves)
        return None if found is None else Constant(tensor.name, np.ones(found[0].before, tensor.dtype))

    def _reduction(self, node: Node) -> bool:
        """A reduction along an axis, before as many of the movements as leave it one axis."""
        held, out = self.values.held(node.inputs[0]).moves, dims(node.outputs[0])
        for count in range(len(held), 0, -1) if node.attrs.get("keepdims", 1) else ():
            moves = undone(out, held[-count:])
            if moves is None or not is_passed(held[-count]):
                continue
            sizes = enumerate(zip(held[-count].before, moves[0].before, strict=True))
            axes = [axis for axis, (size, left) in sizes if size != left]
            if len(axes) == 1:
                attrs = {**node.attrs, "axes": axes}
                self.values.work(node, [self.values.until(node.inputs[0], count)], moves[0].before, moves, attrs)
                return True
        return False

    def _pieces(self, node: Node) -> bool:
        """Pieces of a value to which a Reshape added dims of 1, or dropped them: the axis is another then."""
        moves = self.values.held(node.inputs[0]).moves
        shapes = [piece_before(dims(out), moves[-1]) for out in node.outputs] if moves else [None]
        if None in shapes:
            return False
        outs = [value_like(*pair) for pair in zip(node.outputs, shapes, strict=True)]
        inputs = [
            self.values.until(node.inputs[0], 1),
            *(self.values.held(tensor).source for tensor in node.inputs[1:]),
        ]
        self.values.add(Node(node.op, node.name, dict(node.attrs), inputs, outs), node)
        for old, out in zip(node.outputs, outs, strict=True):
            self.values.hold(old, out, joined((), [reshape(dims(out), dims(old))]))
        self.values.moved = True
        return True

    def _point(self, node: Node) -> bool:
        moves, after = self.values.held(node.inputs[0]).moves, dims(node.inputs[0])
        if not moves:  # those of the weights do not pass
            return False
        count = len(moves) if keeps_order(moves) else 1
        before = moves[-count].before
        if len(before) != 4 or before[:2] != after[:2] or not keeps_order(moves[-count:]):
            return False
        if before != after and 1 not in (*before[2:], *after[2:]):  # from map to map
            return False
        shape = dims(node.outputs[0])
        to = (*shape[:2], *before[2:])
        rest = [self.values.held(tensor).source for tensor in node.inputs[1:]]
        self.values.work(node, [self.values.until(node.inputs[0], count), *rest], to, joined((), [reshape(to, shape)]))
        return True

    def _product(self, node: Node) -> bool:
        """A product by a constant matrix: a movement to channels first, the product, and the movements back."""
        data, out = node.inputs[0], dims(node.outputs[0])
        shape = dims(data)
        if not 2 <= len(shape) <= 4:
            return False
        ones = (1,) * (4 - len(shape))
        first = transpose((*ones, *shape), TO_CHANNELS)
        held, done = self.values.held(data), self._done(data)
        moves = joined(held.moves[done:], [reshape(shape, first.before), first])
        source, before = held.source, dims(held.source)
        if done and keeps_order(moves):
            source, before = self.values.after(source, held.moves[:done]), first.after
        elif len(before) != 4 or before[:2] != first.after[:2] or not keeps_order(moves):
            source, before = self._operand(data, first), first.after
        made = (before[0], out[-1], *before[2:])
        back = transpose((first.after[0], out[-1], *first.after[2:]), FROM_CHANNELS)
        rest = [back, reshape(back.after, out)]
        moves = joined((), [reshape(made, back.before), *rest])
        if prod(shape[:-1]) == 1 and len(shape) < 4:
            moves = (reshape(made, back.after), rest[-1])
        elif self._is_wide(before[1], made):
            self._part(node, source, made, back.before, joined((), rest))
            return True
        self.values.work(node, [source, self.values.held(node.inputs[1]).source], made, moves)
        return True

    def _done(self, tensor: Tensor) -> int:
        """How many of the movements that ``tensor`` waits for are done anyway, on the CPU, for others than products."""
        maker = tensor.producer
        while maker is not None and maker not in self.staying and move_of(maker, self.opset) is not None:
            made = maker.outputs[0]
            if made.rank == 3 and not all(self._does_without(reader) for reader in made.outputs):
                return len(self.values.held(made).moves)
            maker = maker.inputs[0].producer
        return 0

    def _does_without(self, reader: Node) -> bool:
        """Whether ``reader`` needs no movement before it: it is one itself, or a product that becomes a convolution."""
        return move_of(reader, self.opset) is not None or self._product_of(reader) is not None

    def _is_wide(self, read: int, made: Dims) -> bool:
        """Whether a product that makes a map has too many channels for one convolution, and few enough for parts."""
        widest = self.rules.widest
        return widest is not None and widest < max(read, made[1]) <= PARTS * widest

    def _part(self, node: Node, source: Tensor, made: Dims, joint: Dims, moves: Moves) -> None:
        """A product that reads ``source``: several that make parts of the map ``made``, and what joins them."""
        parts = part_products(node, source, made, joint)
        first = next(each for each in parts if each.op == node.op)
        for new in parts:
            self.values.add(new, node if new is first else None)
        joints = [new for new in parts if new.op in JOINTS]
        self.values.twin.free.update(dict.fromkeys(joints, first))
        if (violation := misfit(parts, self.rules)) is not None:
            self.values.twin.failing.update(dict.fromkeys(joints, violation))
        last = parts[-1].outputs[0]
        self.values.hold(node.outputs[0], last, joined((), [reshape(dims(last), joint), *moves]))
        self.values.moved = True

    def _left_product(self, node: Node) -> bool:
        """A constant matrix times the rows of a map, which are its channels: it reads the map."""
        matrix, data = node.inputs
        moves, out = self.values.held(data).moves, dims(node.outputs[0])
        before = moves[-1].before if moves and moves[-1].perm is None else ()
        if len(before) != 4 or before[:2] != dims(data)[:2]:
            return False
        made = (*out[:2], *before[2:])
        inputs = [self.values.until(data, 1), self.values.held(matrix).source]
        self.values.work(node, inputs, made, joined((), [reshape(made, out)]))
        return True

    def _root(self, node: Node) -> bool:
        """A norm: what is under its root is summed up by a node, and the root drawn by another."""
        kept = self._kept_dims(node)
        if kept is None:
            return False
        total = value_like(node.outputs[0], kept)
        total.name = f"{total.name}_sum"
        inputs = [self.values.real(tensor) for tensor in node.inputs]
        self.values.add(Node(node.op, node.name, {**node.attrs, "keepdims": 1}, inputs, [total]), node)
        out = value_like(node.outputs[0], kept)
        self.values.add(Node("Sqrt", "", {}, [total], [out]), None)
        self.values.hold(node.outputs[0], out, joined((), [reshape(kept, dims(node.outputs[0]))]))
        self.values.moved = True
        return True

    def _kept_dims(self, node: Node) -> Dims | None:
        """The dims of a reduction's result where it keeps the axes that it reduces."""
        try:
            axes = Params(node, self.opset)["axes"]
        except Unknown:
            return None
        return tuple(1 if axis in axes else size for axis, size in enumerate(dims(node.inputs[0])))

    def _kept(self, node: Node) -> bool:
        """A reduction that drops its axes: it keeps them, and a Reshape behind it waits."""
        kept = self._kept_dims(node)
        if kept is None:
            return False
        inputs = [self.values.real(tensor) for tensor in node.inputs]
        moves = joined((), [reshape(kept, dims(node.outputs[0]))])
        self.values.work(node, inputs, kept, moves, {**node.attrs, "keepdims": 1})
        return True

    def _flat_product(self, node: Node) -> bool:
        """A Gemm: its result is a map of one pixel, and the Reshape to rank 2 waits."""
        shape = dims(node.outputs[0])
        inputs = [self.values.real(tensor) for tensor in node.inputs]
        self.values.work(node, inputs, (*shape, 1, 1), (reshape((*shape, 1, 1), shape),))
        return True

    def _operand(self, data: Tensor, first: Move) -> Tensor:
        """What a product reads that does not pass: at rank 4 a Transpose is before it, and may cut the segment."""
        real = self.values.real(data)
        return self.values.after(real, (first,)) if len(dims(data)) == 4 else real
