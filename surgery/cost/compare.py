"""Which layers of two models are each other's: by name, by what a rewrite made them from, by operator and shape."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from surgery.cost.estimate import Estimate
from surgery.cost.links import features
from surgery.cost.nodes import NodeCost
from surgery.ir.origin import source_name

Match: TypeAlias = Literal["name", "origin", "shape", "none"]


class Pair(NamedTuple):
    """Layers that stand for each other: one before and those that came of it; either side may be empty.

    ``by`` is how they were matched: a ``name`` (and operator) in common, the ``origin`` that a rewrite wrote down, the
    same operator on tensors of the same ``shape``, or ``none``.
    """

    before: tuple[NodeCost, ...]
    after: tuple[NodeCost, ...]
    by: Match

    @property
    def change(self) -> float:
        """Microseconds that it takes longer after than before; NaN where one of them has no estimate."""
        return sum(cost.us.mid for cost in self.after) - sum(cost.us.mid for cost in self.before)


def pairs(before: Estimate, after: Estimate) -> tuple[Pair, ...]:
    """All layers of both, the largest change first, what has no estimate before that.

    What takes no time on either side is left out. Layers of one name but of another operator are no pair, unless the
    origin says so; those of one operator and shape are matched in the order of the graphs, of equal time first.
    """
    named = dict(_by_name(before.nodes, after.nodes))
    taken = {id(cost) for pair in named.values() for cost in (*pair.before, *pair.after)}
    left = [[cost for cost in side.nodes if id(cost) not in taken] for side in (before, after)]
    found = (*named.values(), *_by_shape(*left))
    return tuple(sorted(filter(_takes_time, found), key=_order))


def _by_name(before: Iterable[NodeCost], after: Iterable[NodeCost]) -> Iterator[tuple[str, Pair]]:
    """Layers of one name and operator, and those that a rewrite made of a layer before."""
    there = {cost.node.name: cost for cost in before}
    heirs: dict[str, list[NodeCost]] = defaultdict(list)
    for cost in after:
        known = (cost.node.name, source_name(cost.node))
        home = next((name for name in known if name is not None and _is_home(there.get(name), cost)), None)
        if home is not None:
            heirs[home].append(cost)
    for name, costs in heirs.items():
        alone = len(costs) == 1 and costs[0].node.name == name
        yield name, Pair((there[name],), tuple(costs), "name" if alone else "origin")


def _is_home(before: NodeCost | None, after: NodeCost) -> bool:
    """Whether a layer is what was made of the one before, or the same still."""
    if before is None:
        return False
    return before.node.op == after.node.op or source_name(after.node) == before.node.name


def _by_shape(before: list[NodeCost], after: list[NodeCost]) -> Iterator[Pair]:
    """Layers of the same operator and shapes one to one, those of equal time first; then those without a partner."""
    for key in (_shape_and_time, _shape):
        waiting: dict[Hashable, deque[NodeCost]] = defaultdict(deque)
        for cost in before:
            waiting[key(cost)].append(cost)
        alone = []
        for cost in after:
            if same := waiting[key(cost)]:
                yield Pair((same.popleft(),), (cost,), "shape")
            else:
                alone.append(cost)
        before, after = [cost for costs in waiting.values() for cost in costs], alone
    yield from (Pair((cost,), (), "none") for cost in before)
    yield from (Pair((), (cost,), "none") for cost in after)


def _shape(cost: NodeCost) -> Hashable:
    """The operator, and the shapes of what it computes on, of its weights and of its results."""
    node = cost.node
    fed = features(node)
    weights = tuple(t.shape for t in node.inputs[1:2] if t not in fed)
    return node.op, tuple(t.shape for t in fed), weights, tuple(t.shape for t in node.outputs)


def _shape_and_time(cost: NodeCost) -> Hashable:
    return _shape(cost), cost.device, round(cost.us.mid, 3)


def _takes_time(pair: Pair) -> bool:
    return any(cost.us.mid != 0 for cost in (*pair.before, *pair.after))


def _order(pair: Pair) -> tuple[bool, float]:
    change = pair.change
    return change == change, -abs(change)
