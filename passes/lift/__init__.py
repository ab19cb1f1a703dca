"""Take normalisation of an image off the inputs, for the toolchain to do."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from passes.lift.front import Cut, Front, lifted
from surgery.ir import Tensor
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.pipeline.iomap import IoMap, excerpt
from surgery.pipeline.lifted import note
from surgery.rewrite import Event, Exactness, Mismatch, Purpose

RULE = "lift"


class LiftNormalisation(Pass):
    """Move normalisation of images from the graph into what the toolchain does before it.

    What stands between an input of 1 or 3 channels and the network goes: Sub, Add, Mul, Div by one number per channel,
    BatchNormalization, channels put into the reverse order (Gather, Slice, Split and Concat, a 1x1 Conv), Transpose
    between NHWC and NCHW, Cast to float. The model keeps what it did in its metadata, from which ``surgery config``
    and ``run --config-out`` write ``mean_value``, ``scale_value``, ``input_type_train`` and ``input_layout_train``.
    It is returned as an IoMap, too: the model with it in front is verified bit by bit against the original.
    """

    name: ClassVar[str] = "lift-normalisation"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants"})
    behind: ClassVar[str] = "fold-constants"

    pixels: Literal["auto", 1, 255] = "auto"
    """Largest value that the input has: `1` where the application divides by 255; `auto` where the graph says which."""

    def purposes(self, target: Any) -> list[Purpose]:
        """INTERFACE."""
        return [Purpose.INTERFACE]

    def exactness(self, target: Any) -> Exactness:
        """EXACT: the nodes only move out of the model."""
        return Exactness.EXACT

    def run(self, run: PassRun) -> Outcome:
        """Lift at every input, and return how the interface moved."""
        outcome, before = Outcome(), list(run.model.graph.inputs)
        cuts = dict[Tensor, Cut]()
        for image in before:
            front = Front(run.model.graph, image, run.ctx.is_protected)
            cut = front.cut()
            try:
                if cut is not None and outcome.stats.applied != run.limit:
                    self._lift(run, image, cut, outcome)
                    cuts[image] = cut
            except Mismatch as mismatch:
                front.refusals.append(mismatch)
            for refusal in front.refusals:
                _refuse(refusal, run, outcome)
        if cuts:
            outcome.io = _moved(run, before, cuts)
        return outcome

    def _lift(self, run: PassRun, image: Tensor, cut: Cut, outcome: Outcome) -> None:
        rw, stats, graph = run.rw, outcome.stats, run.model.graph
        note(run.model, rw.editor, image.name, cut.tensor.name, lifted(cut, image, self.pixels))
        rw.begin(f"{self.name}/{RULE}", cut.nodes[0])
        for node in reversed(cut.nodes):
            rw.editor.remove(node)
            rw.removed.append(node)
        rw.editor.set_graph_inputs(graph, [cut.tensor if tensor is image else tensor for tensor in graph.inputs])
        stats.matched += 1
        stats.applied += 1
        stats.fired[RULE] += 1
        stats.edits.append(rw.change(RULE))
        if run.trace:
            stats.events += [Event(RULE, n.name, n.op, "applied", "", n.name) for n in cut.nodes]


def _moved(run: PassRun, before: list[Tensor], cuts: dict[Tensor, Cut]) -> IoMap:
    """How the inputs moved."""
    nodes, opset = [node for cut in cuts.values() for node in cut.nodes], run.model.opset
    return IoMap(
        excerpt("prologue", nodes, list(cuts), [cut.tensor for cut in cuts.values()], opset),
        excerpt("epilogue", [], [], [], opset),
        tuple(tensor.name for tensor in before),
        tuple(tensor.name for tensor in run.model.graph.outputs),
        tuple(node.name for node in nodes),
    )


def _refuse(mismatch: Mismatch, run: PassRun, outcome: Outcome) -> None:
    stats = outcome.stats
    stats.refused += 1
    stats.reasons[mismatch.reason] += 1
    if run.trace:
        name, op = (mismatch.at.name, mismatch.at.op) if mismatch.at is not None else ("", "")
        stats.events.append(Event(RULE, name, op, "refused", mismatch.reason, name))
