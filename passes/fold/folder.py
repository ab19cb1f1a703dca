"""Rounds of folding and of deciding control flow, until neither finds more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surgery.errors import ModelError
from surgery.ir import Constant, Graph, Node
from surgery.ir.fold import Folding, Limits, fold
from surgery.pipeline import PassRun
from surgery.rewrite import Engine, Event, Mismatch, Rule, Stats

GROWTH = "surgery.growth"
"""Metadata key of a folded constant: bytes by which its group grew the model. A second run finds them spent."""
FREE = 1024
"""Growth up to this is not written down: the nodes that went weigh as much."""


def _infer(run: PassRun) -> bool:
    """Make shapes known that follow from the new constants; False when they contradict each other.

    The manager infers once more, and says what the contradiction is.
    """
    try:
        run.model.infer(run.rw.editor.retype)
    except ModelError:
        return False
    return True


class Folder:
    """Folds one model in place, by the rules of a pass decides its control flow, and keeps the statistics of both.

    Args:
        by: name of the pass.
        bound: bytes by which the model may grow in all.
        rules: what is done to nodes that own bodies.

    Attributes:
        waiting: whether another round may find more.
        refusals: what the last round did not fold.
    """

    def __init__(self, by: str, bound: int, run: PassRun, rules: Sequence[Rule[Any]]) -> None:
        self.by, self.bound, self.run, self.rules = by, bound, run, rules
        self.engine = Engine(by, rules, run.ctx, run.rw, run.policy, limit=run.limit, trace=run.trace)
        self.waiting = True
        self.refusals: dict[Node, str] = {}
        self._uncomputable: dict[Node, str] = {}

    def exhaust(self) -> Stats:
        """Fold and decide until nothing more becomes constant."""
        stale = False
        for _ in range(2 + 2 * sum(1 for _ in self.run.model.nodes())):  # every other round takes a node away
            moved = self._round()
            if not self.waiting or self.engine.stats.applied == self.run.limit:
                break
            if not moved and not (stale and _infer(self.run)):
                break
            stale = moved
        self.engine.run()  # for what it refuses
        self._note_refusals()
        return self.engine.stats

    def _round(self) -> bool:
        """Decide what can be decided, fold what is constant; whether anything was."""
        before = self.engine.stats.applied
        self.engine.run(self._decided())
        self.run.rw.editor.settle()
        folding = self._fold()
        self.waiting = folding.waiting or bool(self._decided())
        return self.engine.stats.applied > before or bool(folding.uncomputable)

    def _decided(self) -> list[Node]:
        """The nodes with bodies that a rule can decide now."""
        roots = frozenset().union(*(rule.roots for rule in self.rules))
        nodes = [n for n in self.run.model.nodes() if n.op in roots and any(True for _ in n.bodies())]
        return [n for n in nodes if any(self._fits(rule, n) for rule in self.rules)]

    def _fits(self, rule: Rule[Any], node: Node) -> bool:
        return node.op in rule.roots and not isinstance(rule.attempt(node, self.run.ctx), Mismatch)

    def _fold(self) -> Folding:
        model = self.run.model
        limits = Limits(self.bound, self.bound - _spent(model.graph))
        folding = fold(model.graph, model.header, limits, self._barred, self.run.rw.editor.retype)
        self._uncomputable |= folding.uncomputable
        self.refusals = folding.refusals
        for node in folding.nodes:
            if self.engine.stats.applied != self.run.limit:
                self._replace(node, folding)
        self.run.rw.editor.settle()
        return folding

    def _barred(self, node: Node) -> str | None:
        return "protected" if self.run.ctx.is_protected(node) else self._uncomputable.get(node)

    def _replace(self, node: Node, folding: Folding) -> None:
        rw, stats = self.run.rw, self.engine.stats
        op, name = node.op, node.name
        rw.begin(f"{self.by}/fold", node)
        for value in [v for v in node.outputs if v in folding.values]:
            constant = Constant(value.name, folding.values[value])
            if (charge := folding.charges.get(node, 0)) > FREE:
                constant.metadata[GROWTH] = str(charge)
            rw.editor.redirect(value, constant)
        rw.removed += rw.editor.sweep([node], rw.is_output)
        stats.matched += 1
        stats.applied += 1
        stats.fired["fold"] += 1
        stats.edits.append(rw.change("fold"))
        if self.run.trace:
            stats.events.append(Event("fold", name, op, "applied"))

    def _note_refusals(self) -> None:
        """Put what is not folded in the end into the statistics."""
        stats = self.engine.stats
        stats.refused += len(self.refusals)
        for node, reason in self.refusals.items():
            stats.reasons[reason] += 1
            if self.run.trace:
                stats.events.append(Event("fold", node.name, node.op, "refused", reason))


def _spent(main: Graph) -> int:
    """Bytes by which folding grew the model before."""
    constants = {t for g in main.walk() for n in g.nodes for t in n.inputs if isinstance(t, Constant) and t.metadata}
    return sum(int(c.metadata.get(GROWTH, 0)) for c in constants)
