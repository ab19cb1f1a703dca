"""Evaluate at load time what does not depend on the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from surgery.errors import ModelError
from surgery.ir import Constant, Graph, Model, Node
from surgery.ir.fold import Folding, Limits, fold
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Context, Engine, Event, Exactness, Mismatch, Purpose, Rewriter, Rule, need

GROWTH = "surgery.growth"
"""Metadata key of a folded constant: bytes by which its group grew the model. A second run finds them spent."""
FREE = 1024
"""Growth up to this is not written down: the nodes that went weigh as much."""


class FoldConstants(Pass):
    """Replace nodes that compute from constants and static shapes by what they compute, bit for bit.

    onnxruntime itself computes the values. Never folded: custom operators, loops, random numbers, what computes a
    graph output, and what would store quantised weights dequantised. An If whose condition is constant gives way to
    the branch taken. Sizes in a Loop or Scan body may differ from one iteration to the next and are left alone.
    """

    name: ClassVar[str] = "fold-constants"

    max_growth_bytes: int = Field(default=1 << 20, ge=0)
    """Bytes by which the model may grow in all, beyond the constants that are no longer needed."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The inlining of branches; folding itself looks at the whole graph."""
        return (InlineBranch(),)

    def run(self, run: PassRun) -> Outcome:
        """Inline and fold until nothing more becomes constant."""
        engine = Engine(self.name, self.rules(None), run.ctx, run.rw, run.policy, limit=run.limit, trace=run.trace)
        folder, stale = _Folder(self, run, engine), False
        for _ in range(2 + 2 * sum(1 for _ in run.model.nodes())):  # every other round takes a node away
            moved = folder.round()
            if not folder.waiting or engine.stats.applied == run.limit:
                break
            if not moved and not (stale and _infer(run)):
                break
            stale = moved
        engine.run()  # for what it refuses
        folder.note_refusals()
        return Outcome(engine.stats)


def _infer(run: PassRun) -> bool:
    """Make shapes known that follow from the new constants; False when they contradict each other.

    The manager infers once more, and says what the contradiction is.
    """
    try:
        run.model.infer(run.rw.editor.retype)
    except ModelError:
        return False
    return True


def _decided(model: Model) -> list[Node]:
    """The branches whose condition is constant."""
    return [n for n in model.nodes() if n.op == "If" and isinstance(n.inputs[0], Constant)]


class _Folder:
    """Folds one model in place, and keeps the statistics of the engine that inlines its branches.

    ``waiting`` says whether another round may find more; ``refusals`` are those of the last one.
    """

    def __init__(self, step: FoldConstants, run: PassRun, engine: Engine) -> None:
        self.step, self.run, self.engine = step, run, engine
        self.waiting = True
        self.refusals: dict[Node, str] = {}
        self._uncomputable: dict[Node, str] = {}

    def round(self) -> bool:
        """Inline what is decided, fold what is constant; whether anything was."""
        model, before = self.run.model, self.engine.stats.applied
        self.engine.run(_decided(model))
        self.run.rw.editor.settle()
        folding = self._fold()
        self.waiting = folding.waiting or bool(_decided(model))
        return self.engine.stats.applied > before or bool(folding.uncomputable)

    def _fold(self) -> Folding:
        bound, model = self.step.max_growth_bytes, self.run.model
        limits = Limits(bound, bound - _spent(model.graph))
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
        rw.begin(f"{self.step.name}/fold", node)
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

    def note_refusals(self) -> None:
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


@dataclass(frozen=True)
class Branch:
    """An If whose branch is known."""

    node: Node
    taken: Graph


class InlineBranch(Rule[Branch]):
    """``If(true, then, else) -> then``; exact, since the nodes themselves stay as they are."""

    name, roots = "inline-branch", frozenset({"If"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Branch | Mismatch:
        """The condition has to be constant."""
        taken = bool(need.constant(node, 0).reshape(()))
        return Branch(node, node.attrs["then_branch" if taken else "else_branch"])

    def rewrite(self, match: Branch, rw: Rewriter) -> None:
        """Move the nodes of the branch to where the If is."""
        outputs = match.taken.outputs
        rw.editor.set_graph_outputs(match.taken, [])
        home = match.node.graph or rw.main
        for index, node in enumerate(match.taken.nodes):
            rw.editor.move(node, home, (*match.node.position, float(index)))
        rw.replace(match.node, *outputs)
