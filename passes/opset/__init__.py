"""Write a whole model in the opset, IR version and order of nodes that a march's toolchain takes.

Every operator is brought from the form it has in one opset into the form of another: what is an input here is an
attribute there, a default changed, a type is not taken yet. One family per file; :data:`~passes.opset.forms.FORMS`
is the catalogue.
"""

from __future__ import annotations

from typing import Any, ClassVar

import onnx
from pydantic import Field

from passes.opset.base import Form
from passes.opset.forms import FORMS, RAISED
from passes.opset.generic import fit, is_same
from passes.opset.header import set_versions
from passes.opset.order import pair
from surgery.ir import Node
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Event, Exactness, Mismatch, Purpose, Rewriter, weakest
from surgery.rewrite.rewriter import Change

LEAST = 11
"""The oldest opset that is written; the operators of older models are raised to it."""
IR = 7
"""IR version of what comes out, where the opset does not need a newer one."""
RESTATE = "restate"
"""What the pass calls its edits."""


class LowerOpset(Pass):
    """Write every operator in the form of the march's opset, and say so in the file, with the IR version to match.

    All or nothing: a node that has no form there is named, and the model stays as it is. Operators that were born
    later are for ``substitute-ops``, functions of the model for ``inline-functions``. Models of an opset before 11
    are raised to it, so that one form of every operator comes out. Where the march asks for it, every DequantizeLinear
    is put right behind the QuantizeLinear that it reads.
    """

    name: ClassVar[str] = "lower-opset"
    cures: ClassVar[frozenset[str]] = frozenset({"model.opset", "model.ir_version", "model.parted"})
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants", "inline-functions", "substitute-ops"})

    opset: int | None = Field(default=None, ge=LEAST)
    """Opset to write; by default the model's, moved into what the march takes, 11 at least."""

    def purposes(self, target: Any) -> list[Purpose]:
        """LEGALISE: a toolchain refuses a whole model for its opset."""
        return [Purpose.LEGALISE]

    def exactness(self, target: Any) -> Exactness:
        """ROUNDING at worst: a Softmax between two Transposes may sum in another order."""
        return Exactness.ROUNDING

    def run(self, run: PassRun) -> Outcome:
        """Restate all nodes, or say which cannot be."""
        outcome = Outcome()
        wanted = self._wanted(run)
        if run.limit == 0:
            return outcome
        if wanted != (run.model.opset, run.model.ir_version):
            _Lowering(run, wanted[0], outcome).restate()
            if outcome.stats.refused:
                return outcome
            set_versions(run.model, *wanted, run.rw.editor)
            outcome.stats.fired[RESTATE] = 1
        if _is_asked_for(run, "parted") and (moved := pair(run, LowerOpset.name)):
            outcome.stats.edits += moved
            outcome.stats.fired[moved[0].rule] = len(moved)
        outcome.stats.matched = outcome.stats.applied = int(bool(outcome.stats.fired))
        return outcome

    def _wanted(self, run: PassRun) -> tuple[int, int]:
        """Opset and IR version to write."""
        has, ir, newest = run.model.opset, run.model.ir_version, _newest(run, "opset")
        opset = self.opset or min(max(has, LEAST), newest or has)
        if opset == has and ir <= (_newest(run, "ir_version") or ir):
            return has, ir
        needed = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)], ignore_unknown=True)
        return opset, max(IR, needed)


def _newest(run: PassRun, fact: str) -> int | None:
    """The newest opset or IR version that the march's toolchain takes; None where that is not known."""
    target = run.ctx.target
    found = () if target is None else (limit.max for limit in target.march.model if limit.param == fact)
    return next((int(value) for value in found if value is not None), None)


def _is_asked_for(run: PassRun, fact: str) -> bool:
    """Whether the march has a rule about the fact."""
    return run.ctx.target is not None and any(limit.param == fact for limit in run.ctx.target.march.model)


class _Lowering:
    """Brings the nodes of one model to opset ``to``, in place."""

    def __init__(self, run: PassRun, to: int, outcome: Outcome) -> None:
        self.run, self.source, self.to, self.outcome = run, run.model.opset, to, outcome
        self.rw = Rewriter(run.model.graph, to, run.rw.editor)
        self.promises: list[Exactness] = []

    def restate(self) -> None:
        """Bring every node over; all edits are taken back when one cannot be."""
        mark, source = self.rw.editor.mark(), self.source
        if self.to > max(source, LEAST):
            self._refuse(f"opset {self.to} is newer than the model's {source}, nothing is raised beyond {LEAST}")
        for function in self.run.model.functions:
            self._refuse(f"the model's function {function.name!r} has an opset of its own, it must be inlined first")
        for node in list(self.run.model.nodes()):
            self._restate(node)
        if self.outcome.stats.refused:
            self.rw.editor.rollback(mark)
            self.outcome.stats.edits.clear()
        self.rw.editor.settle()
        self.outcome.exactness = weakest(self.promises)

    def _restate(self, node: Node) -> None:
        forms = self._forms(node.op)
        if not node.is_onnx or (not forms and is_same(node.op, self.source, self.to)):
            return
        mark, op, name = self.rw.editor.mark(), node.op, node.name
        self.rw.begin(f"{LowerOpset.name}/{op}", node)
        try:
            for form in forms:
                self.promises.append(form.restate(node, self.rw))
            if node.graph is not None:
                fit(node, self.source, self.rw)
        except Mismatch as mismatch:
            self._refuse(mismatch.reason, node)
            return
        if self.rw.editor.mark() > mark:
            self._note(node, op, name)

    def _forms(self, op: str) -> list[Form]:
        """What the boundaries between both opsets ask of an operator, newest first, before the general rules."""
        lowered = [form for form in FORMS.get(op, ()) if self.to < form.since <= self.source]
        return lowered + [form for form in RAISED.get(op, ()) if self.source < form.since <= self.to]

    def _note(self, node: Node, op: str, name: str) -> None:
        if self.run.ctx.is_protected(node):
            self._refuse(f"would change {name!r}, which is protected", node)
            return
        change = self.rw.change(RESTATE)
        self.outcome.stats.edits.append(Change(RESTATE, change.old or (name,), change.new or (node.name,)))
        if self.run.trace:
            self.outcome.stats.events.append(Event(RESTATE, name, op, "applied"))

    def _refuse(self, reason: str, node: Node | None = None) -> None:
        stats = self.outcome.stats
        stats.refused += 1
        stats.reasons[f"{node.op}: {reason}" if node else reason] += 1
        if self.run.trace and node is not None:
            stats.events.append(Event(RESTATE, node.name, node.op, "refused", reason, node.name))
