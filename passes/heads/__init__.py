"""Cut what decodes a head off the end of a model, for the host to compute."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator

from passes.heads.cut import Cutter, Layout, Place, Plan
from passes.heads.families import FAMILIES, Found, Source, Tail
from passes.heads.tail import behind_convolutions, below, crossing
from passes.heads.trace import Tracer
from surgery.errors import InputError, unknown
from surgery.ir import Node, Value
from surgery.ir.ops import static_shape
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Event, Exactness, Mismatch, Purpose

AUTO, NONE = "auto", "none"
EDGES = frozenset(
    {
        "Cast",
        "DequantizeLinear",
        "Flatten",
        "Identity",
        "QuantizeLinear",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""What decodes nothing."""
ALIKE = 0.99
"""Channels last, as the BPU has them, unless the estimate prefers the other layout by more than this."""


class CutHeads(Pass):
    """Cut detection, segmentation and classification heads off at their last convolutions.

    A head is recognised by the graph behind the last convolutions, whatever tensors are called: DFL, anchors,
    distances, priors, queries, logits. Outputs are then the maps, by stride (classes, boxes, what else there is), named
    ``s8_class``, ``s8_box`` …. What no family fits is cut where the part on the CPU begins, with names left as they
    are. What was behind is returned as an IoMap: host code has to do it, and the model with that code behind it is
    verified against the original.
    """

    name: ClassVar[str] = "cut-heads"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants"})
    behind: ClassVar[str] = "remove-noops"

    at: tuple[str, ...] = ()
    """Tensors to cut at, as ``a,b,c`` or (where a name holds a comma) a list; nothing is looked for then."""
    family: str = AUTO
    """Which head it is: `auto` for the one that fits, `none` to cut where the part on the CPU begins, or a name."""
    layout: Literal["auto", "NCHW", "NHWC"] = "auto"
    """Of maps at the new outputs; `auto` is what the march's estimate has for the faster one."""
    names: Literal["canonical", "keep"] = "canonical"
    """Names of the new outputs of a known head."""

    @field_validator("at", mode="before")
    @classmethod
    def _listed(cls, at: Any) -> Any:
        if not isinstance(at, str):
            return at
        if ";" in at:
            raise ValueError("names are separated by a comma here, a name that holds ';' goes into a list: [\"a;b\"]")
        return [name.strip() for name in at.split(",") if name.strip()]

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        if family not in (AUTO, NONE, *FAMILIES):
            raise ValueError(str(unknown("family", family, [AUTO, NONE, *FAMILIES])))
        return family

    def purposes(self, target: Any) -> list[Purpose]:
        """INTERFACE."""
        return [Purpose.INTERFACE]

    def exactness(self, target: Any) -> Exactness:
        """EXACT: the nodes only move to the host."""
        return Exactness.EXACT

    def run(self, run: PassRun) -> Outcome:
        """Find where to cut, and cut there; an outcome that refuses when there is no such place.

        Raises:
            InputError: a tensor of ``at`` that is not there.
        """
        plan = self._given(run) if self.at else self._found(run)
        if run.limit == 0:
            return Outcome()
        if isinstance(plan, Mismatch):
            return _refused(plan, run)
        refusal = Cutter(run, plan).refusal()
        return _refused(refusal, run) if refusal is not None else self._cut(run, plan)

    def _given(self, run: PassRun) -> Plan:
        values = {v.name: v for node in run.model.graph.nodes for v in node.outputs}
        if wrong := next((name for name in self.at if name not in values), None):
            raise unknown("tensor", wrong, values, where="cut-heads.at")
        if twice := next((name for name in self.at if self.at.count(name) > 1), None):
            raise InputError(f"{twice!r} is given twice", where="cut-heads.at")
        return Plan(tuple(Place(values[name]) for name in self.at))

    def _found(self, run: PassRun) -> Plan | Mismatch:
        """The place of the family that fits, or where the part on the CPU begins."""
        nodes = behind_convolutions(run.model.graph, lambda node: _stays(node, run))
        if all(node.op in EDGES for node in nodes):
            return Mismatch(
                "nothing is decoded behind the last convolutions, strip-io-nodes takes what only moves data"
            )
        tail = Tail(_sources(run, nodes), tuple(nodes))
        fits = {name: found for name, fit in FAMILIES.items() if (found := fit(tail))}
        if self.family not in (AUTO, NONE):
            if self.family not in fits:
                others = f", it could be {' or '.join(fits)}" if fits else ""
                return Mismatch(f"the head is no {self.family}{others}")
            return self._plan(fits[self.family])
        if self.family == AUTO and len(fits) > 1:
            return Mismatch(f"the head could be {' or '.join(fits)}, cut-heads.family must say which")
        if self.family == AUTO and fits:
            return self._plan(next(iter(fits.values())))
        return _at_cpu(run, nodes)

    def _plan(self, found: Found) -> Plan:
        keep = self.names == "keep"
        places = (
            Place(s.value, None if keep else (f"s{s.stride}_{role}" if s.stride else role), role, s.stride)
            for s, role in found.ordered
        )
        return Plan(tuple(places), found.family, found.classes, found.reg_max, found.anchors)

    def _cut(self, run: PassRun, plan: Plan) -> Outcome:
        """Cut with the layout asked for, or with the one that the estimate prefers."""
        layouts: tuple[Layout, ...] = ("NHWC", "NCHW") if self.layout == "auto" else (self.layout,)
        times = {}
        for layout in layouts if len(layouts) > 1 else ():
            mark = run.rw.editor.mark()
            Cutter(run, plan).cut(layout)
            run.rw.editor.settle()
            state = run.ctx.state()
            times[layout] = state.estimate.latency_ms.mid if state and state.estimate else 0.0
            run.rw.editor.rollback(mark)
        best = layouts[-1]
        if any(times.values()):
            best = "NHWC" if ALIKE * times["NHWC"] <= times["NCHW"] else "NCHW"
        return Cutter(run, plan).cut(best)


def _stays(node: Node, run: PassRun) -> bool:
    """A Resize that the BPU does is no decoding."""
    return node.op in {"Resize", "Upsample"} and run.ctx.device(node) == "bpu"


def _at_cpu(run: PassRun, nodes: list[Node]) -> Plan | Mismatch:
    """The cut in front of the first nodes behind the last convolutions that are on the CPU, and all behind them."""
    state = run.ctx.at_start
    devices = {row.node: row.device for row in state.placement.rows} if state else {}
    slow = [node for node in nodes if devices.get(node) == "cpu"]
    if not slow:
        return Mismatch("nothing behind the last convolutions is on the CPU, no head is left to cut")
    part = {*slow, *below([value for node in slow for value in node.outputs], run.model.graph)}
    return Plan(tuple(map(Place, crossing([node for node in run.model.graph.nodes if node in part]))))


def _sources(run: PassRun, nodes: list[Node]) -> tuple[Source, ...]:
    """The tensors that ``nodes`` begin with, and what becomes of them."""
    values = crossing(nodes)
    picture = next((shape for t in run.model.graph.inputs if len(shape := static_shape(t) or ()) == len("NCHW")), ())
    ends = Tracer(run.model).trace(values, nodes)
    return tuple(Source(value, *_extent(value, picture), ends[value]) for value in values)


def _extent(value: Value, picture: tuple[int, ...]) -> tuple[int, int | None]:
    """Channels, and the stride of a map; None for what is none."""
    shape = static_shape(value) or ()
    if len(shape) != len("NCHW") or shape[2:] == (1, 1) or not picture:
        return (shape[1] if len(shape) == len("NCHW") else shape[-1]) if shape else 0, None
    size = max(picture[2:]) if picture[1] <= len("RGBA") else max(picture[1:3])
    return shape[1], round(size / max(shape[2:]))


def _refused(mismatch: Mismatch, run: PassRun) -> Outcome:
    outcome = Outcome()
    outcome.stats.refused = 1
    outcome.stats.reasons[mismatch.reason] += 1
    if run.trace:
        at = mismatch.at if isinstance(mismatch.at, Node) else None
        name, op = (at.name, at.op) if at else ("", "")
        outcome.stats.events.append(Event("cut", name, op, "refused", mismatch.reason, name))
    return outcome
