"""Compute what is equal once, and keep equal weights once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import onnx

from surgery.ir import Constant, Node, Tensor
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Context, Event, Exactness, Mismatch, Purpose, Rewriter, Rule, Stats, weakest

DRAWN = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
"""Operators that give other values every time."""
STANDARD = frozenset(schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain) - DRAWN
LARGE = 1024
"""Bytes from which a weight is worth keeping once."""
SEEN = 64
"""Elements by which weights are told apart before they are compared whole."""
Look: TypeAlias = "tuple[str, tuple[int, ...], bytes]"


class ShareEquals(Pass):
    """Compute a value once that several nodes compute alike, and store a weight once that several nodes read.

    Exact: nodes are equal when operator, attributes and inputs are, constants when their bytes are. Never shared:
    custom operators, random numbers, training-mode dropout, nodes with bodies. The vendor's optimiser computes equal
    values as often as they are written.
    """

    name: ClassVar[str] = "share-equals"

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The sharing of nodes; weights are looked for in the whole graph."""
        return (ShareNodes(),)

    def run(self, run: PassRun) -> Outcome:
        """Nodes first, whose equal weights go with them."""
        outcome = super().run(run)
        _share_weights(self.name, run, outcome.stats)
        run.rw.editor.settle()
        return Outcome(outcome.stats, weakest([rule.exactness for rule in self.rules(run.ctx.target)]))


@dataclass(frozen=True)
class Twins:
    """Two nodes that compute the same; the first stays."""

    first: Node
    second: Node


class ShareNodes(Rule[Twins]):
    """Of two nodes of the same operator, attributes and inputs one is kept, and read for both; exact."""

    name, roots = "share-nodes", STANDARD
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Twins | Mismatch:
        """An equal node that stands before it in the same graph."""
        if any(True for _ in node.bodies()):
            return Mismatch("has a body", node)
        if node.op == "Dropout" and (node.input(2) is not None or "is_test" in node.attrs):
            return Mismatch("may draw random numbers", node)
        for other in _siblings(node):
            if other.position < node.position and _equal(other, node):
                return Twins(other, node)
        return Mismatch("no node before it computes the same", node, absent=True)

    def rewrite(self, match: Twins, rw: Rewriter) -> None:
        """Readers of the second read the first."""
        rw.replace(match.second, *match.first.outputs)


def _siblings(node: Node) -> Iterator[Node]:
    """Other nodes of its operator in its graph that read what it reads."""
    computed = next((tensor for tensor in node.inputs if not isinstance(tensor, Constant)), None)
    if computed is None or computed.is_empty():
        return
    for other in dict.fromkeys(computed.consumers):
        if other is not node and (other.op, other.domain) == (node.op, node.domain) and other.graph is node.graph:
            yield other


def _equal(a: Node, b: Node) -> bool:
    return (
        len(a.inputs) == len(b.inputs)
        and [bool(v.name) for v in a.outputs] == [bool(v.name) for v in b.outputs]
        and a.attrs.keys() == b.attrs.keys()
        and all(_same_value(value, b.attrs[name]) for name, value in a.attrs.items())
        and all(map(_same_tensor, a.inputs, b.inputs))
    )


def _same_value(a: Any, b: Any) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant):
        return _same_tensor(a, b)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    return type(a) is type(b) and bool(a == b)


def _same_tensor(a: Tensor, b: Tensor) -> bool:
    if a is b or (a.is_empty() and b.is_empty()):
        return True
    if not (isinstance(a, Constant) and isinstance(b, Constant)) or a.weight.missing or b.weight.missing:
        return False
    return (a.dtype, a.shape) == (b.dtype, b.shape) and a.values.tobytes() == b.values.tobytes()


def _share_weights(by: str, run: PassRun, stats: Stats) -> None:
    """Let nodes of the main graph read one of several equal large constants."""
    kept: dict[Look, list[Constant]] = defaultdict(list)
    for node in list(run.ctx.main.nodes):
        shared = [(i, one) for i, tensor in enumerate(node.inputs) if (one := _kept(tensor, kept)) is not tensor]
        if not shared or run.ctx.is_protected(node) or stats.applied == run.limit:
            continue
        run.rw.begin(f"{by}/share-weights", node)
        for index, one in shared:
            run.rw.set_input(node, index, one)
        stats.matched += 1
        stats.applied += 1
        stats.fired["share-weights"] += 1
        stats.edits.append(run.rw.change("share-weights"))
        if run.trace:
            stats.events.append(Event("share-weights", node.name, node.op, "applied"))


def _kept(tensor: Tensor, kept: dict[Look, list[Constant]]) -> Tensor:
    """The first constant equal to ``tensor``; itself where it is the first, small, or no constant."""
    if not isinstance(tensor, Constant) or tensor.weight.missing or tensor.weight.nbytes < LARGE:
        return tensor
    alike = kept[str(tensor.dtype), tensor.shape, tensor.values.reshape(-1)[:SEEN].tobytes()]
    same = next((one for one in alike if _same_tensor(one, tensor)), None)
    if same is None:
        alike.append(tensor)
    return tensor if same is None else same
