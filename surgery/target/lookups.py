"""Activations of several nodes that the toolchain turns into one lookup: SiLU, HardSwish, GELU by Erf, Mish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import isclose
from typing import TYPE_CHECKING

from surgery.ir import ops
from surgery.ir.graph import Constant, Node
from surgery.target.target import Target

if TYPE_CHECKING:
    from surgery.target.folds import Folds

LOOKUPS: dict[str, tuple[frozenset[str], ...]] = {
    "silu": (frozenset({"Sigmoid", "Mul"}),),
    "hardswish": (frozenset({"HardSigmoid", "Mul"}),),
    "hardswish-clip": (frozenset({"Add", "Clip", "Mul", "Div"}), frozenset({"Add", "Clip", "Mul"})),
    "gelu-erf": (frozenset({"Erf", "Add", "Mul", "Div"}),),
    "mish": (frozenset({"Softplus", "Tanh", "Mul"}),),
}
"""Kinds of operators of each activation, by the name of the fusion."""
NUMBERS = {
    "hardswish-clip": {"Add": 3.0, "Mul": 1 / 6, "Div": 6.0},
    "gelu-erf": {"Div": 2**0.5, "Add": 1.0, "Mul": 0.5},
}
"""The constants of each activation by operator; others have none."""
SHUFFLE = "channel-shuffle"
"""Name of the fusion of a Reshape, a Transpose and a Reshape."""
_OPS = frozenset().union(*(kinds for group in LOOKUPS.values() for kinds in group))
_MOST_NODES = 8


def fold_lookup(node: Node, target: Target, folds: Folds) -> bool:
    """Fuse the activation that ends at ``node``, if it does; False also lets the other fusions try."""
    if node.op not in ("Mul", "Div"):
        return False
    cone = _cone(node, folds)
    kinds = frozenset(n.op for n in cone)
    name = next((name for name, groups in LOOKUPS.items() if kinds in groups and target.fuses(name)), None)
    if name is None or _continues(node, kinds) or not _is_known(name, node, cone):
        return False
    _swallow(node, cone, name, folds)
    return True


def shuffle_behind(node: Node) -> tuple[Node, Node] | None:
    """The Transpose and the Reshape before it, where ``node`` ends a channel shuffle: groups exchanged in between."""
    turn = node.inputs[0].producer if node.op == "Reshape" else None
    if turn is None or turn.op != "Transpose" or sole_reader(turn) is not node:
        return None
    apart = turn.inputs[0].producer
    if apart is None or apart.op != "Reshape" or sole_reader(apart) is not turn:
        return None
    before, between, after = apart.inputs[0].shape, turn.inputs[0].shape, node.outputs[0].shape
    if list(turn.attrs.get("perm", ())) != [0, 2, 1, 3, 4] or before is None or between is None or before != after:
        return None
    return (turn, apart) if (before[0], *before[2:]) == (between[0], *between[3:]) else None


def fold_shuffle(node: Node, target: Target, folds: Folds) -> bool:
    """Fuse the channel shuffle that ends at ``node``."""
    cone = shuffle_behind(node) if target.fuses(SHUFFLE) else None
    if cone is not None:
        _swallow(node, list(cone), SHUFFLE, folds)
    return cone is not None


def parts_of_norm(node: Node) -> tuple[Node, ...]:
    """The square and the root of the layer normalisation that a Div ends, ``d / Sqrt(ReduceMean(d^2) + e)``; else none.

    ``d`` is a value less its own mean. The toolchain knows these together, whether or not a number is added.
    """
    root = node.inputs[1].producer if node.op == "Div" else None
    if root is None or root.op != "Sqrt":
        return ()
    spread = root.inputs[0].producer
    if spread is not None and spread.op == "Add" and any(isinstance(t, Constant) for t in spread.inputs):
        spread = next((t.producer for t in spread.inputs if not isinstance(t, Constant)), None)
    square = spread.inputs[0].producer if spread is not None and spread.op == "ReduceMean" else None
    rest = node.inputs[0]
    if square is None or not (_is_square(square) and square.inputs[0] is rest and _is_less_mean(rest.producer)):
        return ()
    return (square, root)


def _is_square(node: Node) -> bool:
    if node.op == "Mul":
        return node.inputs[0] is node.inputs[1]
    return node.op == "Pow" and ops.scalar(node.inputs[1]) == 2.0


def _is_less_mean(node: Node | None) -> bool:
    mean = node.inputs[1].producer if node is not None and node.op == "Sub" else None
    return node is not None and mean is not None and mean.op == "ReduceMean" and mean.inputs[0] is node.inputs[0]


def sole_reader(node: Node) -> Node | None:
    """The one node that reads the first output, None where others or the graph's output do too."""
    out = node.outputs[0]
    if len(out.outputs) != 1 or (node.graph is not None and node.graph.is_output(out)):
        return None
    return out.outputs[0]


def _is_known(name: str, root: Node, cone: list[Node]) -> bool:
    """Whether the numbers are those of the activation, and GELU ends with its 0.5: the toolchain knows no others."""
    ends = name != "gelu-erf" or any(isinstance(tensor, Constant) for tensor in root.inputs)
    return ends and all(_holds(node, NUMBERS.get(name, {})) for node in cone)


def _holds(node: Node, numbers: dict[str, float]) -> bool:
    """Whether a node of an activation has the number that its operator has there, and none where it has none."""
    if node.op == "Clip":
        return ops.clip_bounds(node) == (0.0, 6.0)
    if node.op == "HardSigmoid":
        return _close(ops.attr(node, "alpha", 0.2), 1 / 6) and _close(ops.attr(node, "beta", 0.5), 0.5)
    held = [ops.scalar(tensor) for tensor in node.inputs if isinstance(tensor, Constant)]
    return all(value is not None and _close(value, numbers.get(node.op, 0.0)) for value in held)


def _close(value: float, number: float) -> bool:
    return isclose(value, number, rel_tol=1e-6)


def _continues(node: Node, kinds: frozenset[str]) -> bool:
    """Whether a constant factor behind ``node`` still belongs to the activation."""
    reader = sole_reader(node)
    constant = reader is not None and any(isinstance(t, Constant) for t in reader.inputs)
    return bool(constant and reader is not None and reader.op in ("Mul", "Div") and kinds & {"Erf", "Clip"})


def _swallow(root: Node, cone: list[Node], name: str, folds: Folds) -> None:
    for node in cone:
        if node is not root:
            folds.drop(node, root)
    folds.lookups[root] = name


def _cone(root: Node, folds: Folds) -> list[Node]:
    """The elementwise nodes that compute ``root`` from one value, none read elsewhere; empty if there are none."""
    cone, seen = [root], {root}
    for node in cone:
        for maker in _makers(node, folds):
            if maker in seen:
                continue
            if maker.op in _OPS and len(cone) < _MOST_NODES and _read_only_by(maker, seen):
                cone.append(maker)
                seen.add(maker)
    sources = {t for n in cone for t in folds.computed(n) if t.producer not in seen}
    return cone if len(sources) == 1 and _shape_of_lookup(cone) else []


def _makers(node: Node, folds: Folds) -> Iterator[Node]:
    for tensor in folds.computed(node):
        if tensor.producer is not None:
            yield tensor.producer


def _read_only_by(node: Node, readers: set[Node]) -> bool:
    """Whether one of ``readers`` alone reads the node: what two read is the value that an activation is of."""
    return sole_reader(node) in readers


def _shape_of_lookup(cone: list[Node]) -> bool:
    """Whether the counts of operators are those of one activation, so that two in a row do not pass for one."""
    counts = Counter(n.op for n in cone)
    single = ("Erf", "Clip", "Sigmoid", "HardSigmoid", "Softplus", "Tanh", "Add")
    return len(cone) > 1 and all(counts[op] <= 1 for op in single) and counts["Mul"] <= 2 + counts["Erf"]
