"""Why the rules of a pass fire or refuse, node by node, without changing anything."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.errors import unknown
from surgery.ir import Model
from surgery.pipeline import registry
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import Pipeline
from surgery.pipeline.result import PassResult
from surgery.rewrite import Event
from surgery.target import Target


@dataclass(frozen=True)
class Explanation:
    """What a pass would do: its result on a copy of the model, and the events of the nodes asked about."""

    result: PassResult
    events: tuple[Event, ...]


def explain(
    model: Model, name: str, target: Target | None, *, node: str | None = None, pipeline: Pipeline | None = None
) -> Explanation:
    """Try the pass ``name`` on a copy of ``model``.

    Args:
        model: stays as it is.
        node: only the events of this node; raises InputError with the nearest names when there is none.
        pipeline: its passes before ``name`` run first (unverified), and ``name`` takes its options from it; if it
            does not hold ``name``, those whose place is in front of all others.
    """
    steps = [(s.id, s.step) for s in pipeline.steps] if pipeline else []
    place = next((i for i, (id_, _) in enumerate(steps) if id_ == name), None)
    if place is None:
        steps, place = [*((id_, p) for id_, p in steps if p.first), (name, registry.load(name)())], -1
    before, step = steps[:place], steps[place][1]
    manager = Manager(model.copy(), target)
    manager.run(before)
    nodes = [n.name for n in manager.model.nodes()]
    if node is not None and node not in nodes:
        raise unknown("node", node, nodes)
    manager.trace = True
    result = manager.run([(name, step)])[-1]
    return Explanation(result, tuple(e for e in result.events if node is None or e.node == node))
