"""What rules and policies may ask: the march's verdicts and the predicted cost, for the graph as it is now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from surgery.cost import Basis, NoCoefficients, local_us, node_cost
from surgery.cost.coefficients import rates
from surgery.drift.metrics import Array
from surgery.ir import Graph, Model, Node, Tensor
from surgery.pipeline.state import State, state_of
from surgery.target import Target, Verdict, Violation, place


@dataclass
class PassContext:
    """The world around the nodes of one model, for one march.

    Attributes:
        model: being rewritten.
        target: the march; None when the pipeline runs without one.
        protect: names of nodes that no pass may touch.
        known: the model as the march sees it at the start, where that is known.
        samples: the user's data, or what stands in for it, by input name; none where nothing is run.
    """

    model: Model
    target: Target | None = None
    protect: re.Pattern[str] | None = None
    known: State | None = None
    samples: Sequence[Mapping[str, Array]] = ()

    @property
    def main(self) -> Graph:
        """The main graph."""
        return self.model.graph

    @cached_property
    def opset(self) -> int:
        """Version of the default domain."""
        return self.model.opset

    def verdict(self, node: Node) -> Verdict:
        """What the march says of ``node``, judged by itself; ``unknown`` without a march."""
        return Verdict("unknown") if self.target is None else self.target.verdict(node, self.opset)

    def violations(self, node: Node) -> Sequence[Violation]:
        """The limits of the march that ``node`` violates; none without a march."""
        return self.verdict(node).violations

    def device(self, node: Node) -> str:
        """Where the march's toolchain puts ``node``, judged by itself; ``unknown`` without a march."""
        return self.verdict(node).device

    def is_output(self, tensor: Tensor) -> bool:
        """Whether the main graph or a body returns ``tensor``."""
        return bool(self.main.returned_by(tensor))

    def is_protected(self, node: Node) -> bool:
        """Whether the user forbade to touch ``node``."""
        return self.protect is not None and self.protect.search(node.name) is not None

    @cached_property
    def at_start(self) -> State | None:
        """The model as the march sees it when this is first asked, which has to be before it is edited."""
        return self.known or self.state()

    def state(self) -> State | None:
        """The model as the march sees it now; None without a march."""
        return None if self.target is None else state_of(place(self.model, self.target))

    @cached_property
    def is_priced(self) -> bool:
        """Whether time can be predicted at all: there is a march, and it has coefficients."""
        try:
            return self.target is not None and rates(self.target) is not None
        except NoCoefficients:
            return False

    @property
    def total_us(self) -> float | None:
        """Predicted latency at the start, host included; None where there is no estimate."""
        known = self.at_start.estimate if self.at_start else None
        return 1000 * known.latency_ms.mid if known else None

    def local_us(self, nodes: Sequence[Node], device: Callable[[Node], str] | None = None) -> float | None:
        """Predicted time of ``nodes`` with the borders around them; None where it cannot be said.

        ``device`` is what remembers :meth:`device` for the graph as it is, where there is one.
        """
        if self.target is None:
            return None
        try:
            time = local_us(nodes, device or cache(self.device), self.target)
        except NoCoefficients:
            return None
        return time.mid if time.known else None

    def assumed(self, nodes: Sequence[Node]) -> Node | None:
        """The first of ``nodes`` whose time is assumed rather than fitted or scaled from measurements."""
        if self.target is None:
            return None
        costs = (node_cost(node, self.device(node), self.target) for node in nodes)
        return next((cost.node for cost in costs if cost.basis is Basis.ASSUMED), None)
