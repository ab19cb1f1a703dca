"""The worklist that applies rules until none fires.

Nodes are taken in topological order and found by operator type; after a rewrite the nodes it made and the readers
of what it replaced are looked at again. A run is bounded: reaching the bound is the rules' fault and named.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from surgery.ir import Node
from surgery.ir.notes import some
from surgery.rewrite.rewriter import Change, Rewriter
from surgery.rewrite.rule import Context, Mismatch, Purpose, Rule
from surgery.rewrite.ways import Found, Price, Way, cheapest, found, is_single

Tries = Sequence[Rule[Any]]


@dataclass(frozen=True)
class Event:
    """What became of one rule at one node: ``applied``, ``refused``, ``not-wanted`` or ``not-kept``.

    ``ways`` are those in which the node could be legalised, the chosen one first, where there was a choice.
    """

    rule: str
    node: str
    op: str
    outcome: str
    reason: str = ""
    at: str = ""
    ways: tuple[Way, ...] = ()


@dataclass
class Stats:
    """Counts of one run, the rules that fired with how often each, and (when traced) every event."""

    matched: int = 0
    applied: int = 0
    refused: int = 0
    not_kept: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    fired_rules: dict[str, Rule[Any]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    edits: list[Change] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Diverged(Exception):
    """Rules kept firing beyond the bound; the message names them."""


class Policy(Protocol):
    """Which matches are wanted, and which rewrites are kept."""

    def wanted(self, rule: Rule[Any], node: Node) -> str | None:
        """Why ``rule`` is not to be tried at ``node``; None when it is."""

    def kept(self, rule: Rule[Any], node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        """Run ``apply``, which rewrites at ``node``, and say why the result must be undone; None when it stays."""

    def price(self, rule: Rule[Any], apply: Callable[[], None], rw: Rewriter) -> tuple[float | None, str]:
        """Run ``apply``, and say what comes out takes in microseconds, where that is known, and why it may not stay."""
        apply()
        return None, ""

    def again(self) -> Sequence[Node]:
        """Nodes to try once more when nothing fires any longer, under weaker terms; none when these are used up."""


@dataclass(frozen=True)
class Everything(Policy):
    """The policy that wants and keeps every match."""

    def wanted(self, rule: Rule[Any], node: Node) -> str | None:
        """Always None."""
        return None

    def kept(self, rule: Rule[Any], node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        """Apply; always None."""
        apply()
        return None

    def again(self) -> Sequence[Node]:
        """None: nothing was turned down."""
        return ()


class Engine:
    """Applies ``rules`` over a model.

    Args:
        by: name of the pass, for the origin of new nodes.
        rules: tried in this order at every node.
        limit: stop after so many applied matches (for bisecting); None for no limit.
        trace: keep an event for every attempt.
    """

    def __init__(
        self,
        by: str,
        rules: Tries,
        ctx: Context,
        rw: Rewriter,
        policy: Policy | None = None,
        *,
        limit: int | None = None,
        trace: bool = False,
    ) -> None:
        self.by, self.ctx, self.rw = by, ctx, rw
        self.policy = policy or Everything()
        self.limit, self.trace = limit, trace
        self.stats = Stats()
        self._index: dict[str, list[Rule[Any]]] = defaultdict(list)
        for rule in rules:
            for root in rule.roots:
                self._index[root].append(rule)
        self._queue: deque[Node] = deque()
        self._queued: set[int] = set()

    def run(self, nodes: Iterable[Node] | None = None) -> Stats:
        """Apply rules until nothing fires; at every node, and settle the graph, or only from ``nodes`` on.

        Raises Diverged.
        """
        roots = [n for graph in self.ctx.main.walk() for n in graph.nodes] if nodes is None else list(nodes)
        self._push(roots)
        bound = max(1000, 10 * len(roots))
        while (self._queue or self._push(self.policy.again())) and self.stats.applied != self.limit:
            node = self._queue.popleft()
            self._queued.discard(id(node))
            if node.graph is not None:
                self._try(node)
            if self.stats.applied > bound:
                raise Diverged(f"still firing after {bound} rewrites: {some(sorted(self.stats.fired))}")
        if nodes is None:
            self.rw.editor.settle()
        return self.stats

    def _push(self, nodes: Iterable[Node]) -> bool:
        """Queue those among ``nodes`` that a rule asks for; whether anything is queued."""
        for node in nodes:
            if node.op in self._index and id(node) not in self._queued and node.graph is not None:
                self._queued.add(id(node))
                self._queue.append(node)
        return bool(self._queue)

    def _try(self, node: Node) -> None:
        for rule in self._index[node.op]:
            if not (node.is_onnx or rule.custom):
                continue
            if (unwanted := self.policy.wanted(rule, node)) is not None:
                self._note(rule, node, "not-wanted", unwanted)
                continue
            match = rule.attempt(node, self.ctx)
            if isinstance(match, Mismatch):
                if not match.absent:
                    self.stats.refused += 1
                    self.stats.reasons[match.reason] += 1
                self._note(rule, node, "refused", match.reason, _name(match.at))
            elif self._apply(rule, match, node):
                return

    def _apply(self, rule: Rule[Any], match: object, node: Node) -> bool:
        """Rewrite; True when it stays, so that ``node`` is done with."""
        self.stats.matched += 1
        name, op = node.name, node.op
        match, ways = self._chosen(rule, match, node)
        mark = self.rw.editor.mark()

        def apply() -> None:
            self.rw.begin(f"{self.by}/{rule.name}", node)
            rule.rewrite(match, self.rw)

        reason = self.policy.kept(rule, node, apply, self.rw)
        if reason is not None:
            self.rw.editor.rollback(mark)
            self.stats.not_kept += 1
            self.stats.reasons[reason] += 1
            self._note(rule, node, "not-kept", reason, ways=ways)
            return False
        self.stats.applied += 1
        self.stats.fired[rule.name] += 1
        self.stats.fired_rules[rule.name] = rule
        self.stats.edits.append(self.rw.change(rule.name))
        if self.trace:
            self.stats.events.append(Event(rule.name, name, op, "applied", ways=ways))
        self._revisit(node)
        return True

    def _chosen(self, rule: Rule[Any], match: object, node: Node) -> tuple[object, tuple[Way, ...]]:
        """The match to be rewritten, and (when traced, and there was a choice) all ways, the chosen one in front."""
        if is_single(rule) and not (self.trace and rule.purpose is Purpose.LEGALISE):
            return match, ()
        own = list(found(rule, node, self.ctx, self._price(node)))
        best = cheapest(own)
        if best is None:
            return match, ()
        others = [one.way for one in (*own, *self._others(rule, node)) if one is not best]
        return best.match, (replace(best.way, outcome="chosen"), *others) if others else ()

    def _others(self, rule: Rule[Any], node: Node) -> Iterator[Found]:
        """When traced, the ways of the other rules that could legalise ``node``."""
        for other in self._index[node.op] if self.trace else ():
            if other is not rule and other.purpose is Purpose.LEGALISE and self.policy.wanted(other, node) is None:
                yield from found(other, node, self.ctx, self._price(node))

    def _price(self, node: Node) -> Price:
        def price(rule: Rule[Any], match: object) -> tuple[float | None, str]:
            mark = self.rw.editor.mark()

            def apply() -> None:
                self.rw.begin(f"{self.by}/{rule.name}", node)
                rule.rewrite(match, self.rw)

            try:
                return self.policy.price(rule, apply, self.rw)
            finally:
                self.rw.editor.rollback(mark)

        return price

    def _revisit(self, node: Node) -> None:
        made = [n for n in self.rw.made if n.graph is not None]
        around = [c for n in made for v in n.outputs for c in v.consumers]
        before = [p for n in made for t in n.inputs if (p := t.producer) is not None]
        self._push([*made, *around, *before, *self.rw.touched, node])

    def _note(
        self, rule: Rule[Any], node: Node, outcome: str, reason: str, at: str = "", ways: tuple[Way, ...] = ()
    ) -> None:
        if self.trace:
            self.stats.events.append(Event(rule.name, node.name, node.op, outcome, reason, at, ways))


def _name(thing: object) -> str:
    return str(getattr(thing, "name", ""))
