"""The mechanism: cut a model at a set of tensors; what is behind them becomes the epilogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from passes.heads.tail import below, crossing
from surgery.ir import Node, Tensor, Value
from surgery.pipeline import Outcome, PassRun
from surgery.pipeline.heads import Head, HeadPart
from surgery.pipeline.iomap import IoMap, excerpt
from surgery.rewrite import Event, Mismatch

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
Layout = Literal["NCHW", "NHWC"]
CUT = "cut"


@dataclass(frozen=True)
class Place:
    """Where to cut.

    Attributes:
        tensor: what becomes an output.
        name: as what, None to leave its name.
        role, stride: what the manifest says of it; no role where nothing is known.
    """

    tensor: Value
    name: str | None = None
    role: str = ""
    stride: int | None = None


@dataclass(frozen=True)
class Plan:
    """All places, in the order of the outputs to be, and what is known of the head they make."""

    places: tuple[Place, ...]
    family: str = ""
    classes: int | None = None
    reg_max: int | None = None
    anchors: tuple[tuple[tuple[float, float], ...], ...] = ()


@dataclass
class Cutter:
    """Cuts one model in place.

    Attributes:
        run: the pass's.
        plan: where.
        tail: the nodes that go.
        first: what the host does before the tail: maps back to the layout that the tail reads.
        renamed: what the tail reads in place of such maps.
    """

    run: PassRun
    plan: Plan
    tail: list[Node] = field(init=False)
    first: list[Node] = field(default_factory=list)
    renamed: dict[Value, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.run.model.graph
        self.tail = below([place.tensor for place in self.plan.places], graph)
        self.outputs = list(graph.outputs)

    def refusal(self) -> Mismatch | None:
        """Why the model cannot be cut there; None when it can."""
        given = {place.tensor for place in self.plan.places}
        made = {value for node in self.tail for value in node.outputs}
        for tensor in (place.tensor for place in self.plan.places):
            if tensor in made:
                return Mismatch(f"{tensor.name!r} is computed behind another cut, one of both must be enough")
            if tensor.dtype is None or tensor.shape is None:
                return Mismatch(f"the type of {tensor.name!r} is not known, it would become an output")
        if not self.tail:
            return Mismatch("nothing is behind the cut, the outputs stay as they are")
        for tensor in crossing(self.tail):
            if tensor not in given:
                reason = f"{tensor.name!r} goes into what is cut off, too, it must be cut at as well"
                return Mismatch(reason, self.tail[0])
        protected = next((node for node in self.tail if self.run.ctx.is_protected(node)), None)
        return None if protected is None else Mismatch(f"{protected.name!r} is protected", protected)

    def cut(self, layout: Layout) -> Outcome:
        """Cut, with maps in ``layout``, and return how the interface moved."""
        outcome, graph, opset = Outcome(), self.run.model.graph, self.run.model.opset
        rw, stats = self.run.rw, outcome.stats
        made = {value for node in self.tail for value in node.outputs}
        lost = [t for t in self.outputs if t in made]
        rw.begin(f"cut-heads/{CUT}", self.tail[0])
        if layout == "NHWC":
            self._rename_maps()
        for node in reversed(self.tail):
            rw.editor.remove(node)
            rw.removed.append(node)
        ends = [self._end(place, layout) for place in self.plan.places]
        rw.editor.set_graph_outputs(graph, self._ordered(ends, lost))
        stats.matched = stats.applied = 1
        stats.fired[CUT] += 1
        stats.edits.append(rw.change(CUT))
        if self.run.trace:
            stats.events.append(Event(CUT, self.tail[0].name, self.tail[0].op, "applied", "", self.tail[0].name))
        outcome.io = IoMap(
            excerpt("prologue", [], [], [], opset),
            excerpt("epilogue", [*self.first, *self.tail], [_twin(t) for t in ends], lost, opset),
            tuple(t.name for t in graph.inputs),
            tuple(t.name for t in self.outputs),
            tuple(node.name for node in self.tail),
            heads=self._heads(ends, layout),
        )
        outcome.note = f"{self.plan.family or 'cut'} at {', '.join(t.name for t in ends)}"
        return outcome

    def _rename_maps(self) -> None:
        """Let the tail read its maps under names of their own: those of the model may become outputs later."""
        rw = self.run.rw
        for tensor in (place.tensor for place in self.plan.places if is_map(place.tensor)):
            self.renamed[tensor] = Value(rw.tensor_name(f"{tensor.name}_nchw"), tensor.dtype, tensor.shape)
            rw.editor.redirect(tensor, self.renamed[tensor])

    def _end(self, place: Place, layout: Layout) -> Value:
        """The output that stands for a place: the tensor itself, or the map turned."""
        rw, tensor = self.run.rw, place.tensor
        if layout == "NCHW" or not is_map(tensor):
            if place.name is not None and not self.run.ctx.is_output(tensor):
                rw.editor.rename(tensor, rw.tensor_name(place.name))
            return tensor
        end = rw.op("Transpose", tensor, perm=list(TO_NHWC))
        rw.editor.rename(end, rw.tensor_name(place.name or f"{tensor.name}_nhwc"))
        inner = _twin(self.renamed[tensor])
        back = Node("Transpose", f"{end.name}/to_nchw", {"perm": list(TO_NCHW)}, [_twin(end)], [inner])
        self.first.append(back)
        return end

    def _ordered(self, ends: Sequence[Value], lost: Sequence[Tensor]) -> list[Tensor]:
        """The outputs to be: the ends where the first lost one was, the others as they were."""
        kept = [t for t in self.outputs if t not in lost]
        place = next((i for i, t in enumerate(self.outputs) if t in lost), len(kept))
        fresh = [t for t in ends if t not in kept]
        return [*kept[:place], *fresh, *kept[place:]]

    def _heads(self, ends: Sequence[Value], layout: Layout) -> tuple[Head, ...]:
        plan = self.plan
        if not plan.family:
            return ()
        pairs = zip(plan.places, ends, strict=True)
        parts = tuple(HeadPart(t.name, p.role, p.stride, layout if is_map(p.tensor) else None) for p, t in pairs)
        return (Head(plan.family, parts, plan.classes, plan.reg_max, plan.anchors),)


def is_map(tensor: Tensor) -> bool:
    """Whether a tensor has channels and places, so that it has a layout."""
    shape = tensor.shape
    return shape is not None and len(shape) == len("NCHW") and any(size != 1 for size in shape[2:])


def _twin(value: Tensor) -> Value:
    """A value of the same name and type that is linked to nothing."""
    return Value(value.name, value.dtype, value.shape)
