"""Runs as much of a model as onnxruntime has kernels for.

Operators that onnxruntime does not know are left out with all that depends on them. What then stands for the
model are the graph outputs that remain, and the values that go into those operators: a rewrite that keeps them has
kept everything up to the operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from surgery.drift.metrics import Array
from surgery.ir.graph import Graph, Node, Tensor
from surgery.ir.session import Perturb, Session, SessionError, open_session

if TYPE_CHECKING:
    from surgery.ir.model import Model

Keys: TypeAlias = "dict[str, str]"


class Runner:
    """A session and the names its values go by.

    Attributes:
        unsupported: the operators left out; empty when the whole model runs.
    """

    def __init__(self, session: Session, keys: Keys | None, unsupported: frozenset[str]) -> None:
        self.session, self.unsupported = session, unsupported
        self._keys = keys

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The values by key: a graph output's name, or ``input i of NODE`` for what goes into an operator left out."""
        values = self.session.run(feeds)
        if self._keys is None:
            return values
        return {key: values[name] for key, name in self._keys.items() if name in values}


def open_runner(model: Model, *, perturb: Perturb | None = None) -> Runner:
    """A runner for ``model``, without the operators that onnxruntime does not know.

    Raises:
        SessionError: onnxruntime refuses the model for another reason, or nothing can be computed without them.
    """
    missing: frozenset[str] = frozenset()
    keys: Keys | None = None
    while True:  # each turn adds an operator type of the model
        try:
            outputs = None if keys is None else list(dict.fromkeys(keys.values()))
            return Runner(open_session(model, outputs=outputs, perturb=perturb), keys, missing)
        except SessionError as error:
            if error.unsupported is None or error.unsupported in missing:
                raise
            missing |= {error.unsupported}
            keys = reachable(model, missing)
            if not keys:
                raise


def reachable(model: Model, missing: frozenset[str]) -> Keys:
    """Value name by key of what can be computed without the operators ``missing``."""
    lost = _with_callers(model, missing)
    tainted = tainted_values(model, missing)
    keys = {v.name: v.name for v in model.graph.outputs if v not in tainted and v.producer is not None}
    for node in model.graph.nodes:
        if _is_lost(node, lost):
            fed = ((i, t) for i, t in enumerate(node.inputs) if t.producer is not None and t not in tainted)
            keys.update({f"input {i} of {node.name}": t.name for i, t in fed})
    return keys


def tainted_values(model: Model, missing: frozenset[str]) -> set[Tensor]:
    """The values of the main graph that depend on an operator in ``missing``."""
    lost = _with_callers(model, missing)
    tainted: set[Tensor] = set()
    for node in model.graph.nodes:
        if _is_lost(node, lost) or not tainted.isdisjoint(_reads(node)):
            tainted.update(node.outputs)
    return tainted


def _with_callers(model: Model, missing: frozenset[str]) -> frozenset[str]:
    """``missing`` and the model functions that call them, directly or not."""
    lost = missing
    functions = list(zip(model.header.functions, model.functions, strict=True))
    for _ in functions if missing else ():  # as many rounds as there are functions settle it
        lost |= {f"{f.domain}:{f.name}" for f, body in functions if any(_is_lost(n, lost) for n in _below(body))}
    return lost


def _is_lost(node: Node, lost: frozenset[str]) -> bool:
    nodes = (node, *(n for body in node.bodies() for n in _below(body)))
    return any(n.op in lost or f"{n.domain}:{n.op}" in lost for n in nodes)


def _below(graph: Graph) -> list[Node]:
    return [node for inner in graph.walk() for node in inner.nodes]


def _reads(node: Node) -> list[Tensor]:
    return [*node.inputs, *(t for body in node.bodies() for n in _below(body) for t in n.inputs)]
