"""``surgery.cost-diff/1``: the estimates of two models on one march, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from surgery.cost.compare import Match, Pair, pairs
from surgery.cost.interval import Interval
from surgery.cost.speedup import speedup
from surgery.report.base import Document, InputShape, ModelRef, Number, Part, Span, Text, schema
from surgery.report.cost import CostDocument, Traffic
from surgery.report.usage import Efficiency

if TYPE_CHECKING:
    from surgery.cost import Estimate, NodeCost


class CostSide(Part):
    """The totals of one of the two models, as its ``surgery.cost/1`` has them; ``nodes`` are those that take time."""

    model: ModelRef
    bpu_ms: Span | None
    latency_ms: Span | None
    macs: int
    bytes: Traffic
    nodes: int
    segments: int
    efficiency: Efficiency | None = None


class LayerSide(Part):
    """What stands for a layer in one of the models: its nodes, their time added up, what bounds the longest of them."""

    nodes: tuple[Text, ...]
    ops: tuple[Text, ...]
    device: str
    us: Span
    bound: str
    macs: int


class LayerChange(Part):
    """A layer before and after, None where it is in one model only.

    ``by`` is how the two were matched, ``change_us`` how much longer it takes after (middle values, each node as if it
    were alone), None where a node has no estimate.
    """

    before: LayerSide | None
    after: LayerSide | None
    by: Match
    change_us: Number


class KindChange(Part):
    """The nodes of one kind on one device, before and after: microseconds, middle values."""

    kind: str
    device: str
    before_us: float
    after_us: float


class CostDiffDocument(Document):
    """Two models on one march.

    ``speedup`` is before over after of ``latency_ms`` from the paired change, None with a ``reason`` where it cannot be
    stated. ``layers`` are sorted by their change, the largest first; what takes no time in either is left out.
    """

    kind: Literal["surgery.cost-diff/1"] = schema("surgery.cost-diff/1")
    march: str
    input_shape: InputShape = Field(default_factory=dict)
    run_on_bpu: tuple[Text, ...] = ()
    before: CostSide
    after: CostSide
    speedup: Span | None
    reason: Text = ""
    kinds: tuple[KindChange, ...] = ()
    layers: tuple[LayerChange, ...] = ()

    def settle(self) -> None:
        """Know the digests of both models; raises ModelError."""
        for side in (self.before, self.after):
            _ = side.model.sha256


class Costed(NamedTuple):
    """The document of an estimate, and the estimate; None where the march has no coefficients."""

    document: CostDocument
    estimate: Estimate | None


def cost_diff_document(before: Costed, after: Costed) -> CostDiffDocument:
    """The comparison of two estimates of one march."""
    both, first = (before.document, after.document), before.document
    found = CostDiffDocument(
        march=first.march,
        input_shape=first.input_shape,
        run_on_bpu=first.run_on_bpu,
        before=_side(both[0]),
        after=_side(both[1]),
        speedup=None,
        reason=first.reason or after.document.reason,
        kinds=_kinds(*both),
    )
    if before.estimate is None or after.estimate is None:
        return found
    paired = speedup(before.estimate, after.estimate)
    known = {
        "speedup": Span.of(paired.interval) if paired.interval else None,
        "reason": paired.reason,
        "layers": tuple(map(_layer, pairs(before.estimate, after.estimate))),
    }
    return found.model_copy(update=known)


def _side(document: CostDocument) -> CostSide:
    same = ("model", "bpu_ms", "latency_ms", "macs", "bytes", "efficiency")
    return CostSide(
        **{name: getattr(document, name) for name in same},
        nodes=sum(kind.nodes for kind in document.kinds),
        segments=len(document.segments),
    )


def _kinds(before: CostDocument, after: CostDocument) -> tuple[KindChange, ...]:
    """The kinds of both, the largest change first."""
    sides = [{(kind.kind, kind.device): kind.us.mid or 0.0 for kind in side.kinds} for side in (before, after)]
    found = (
        KindChange(kind=key[0], device=key[1], before_us=sides[0].get(key, 0.0), after_us=sides[1].get(key, 0.0))
        for key in dict.fromkeys([*sides[0], *sides[1]])
    )
    return tuple(sorted(found, key=lambda kind: -abs(kind.after_us - kind.before_us)))


def _layer(pair: Pair) -> LayerChange:
    return LayerChange(
        before=_layer_side(pair.before), after=_layer_side(pair.after), by=pair.by, change_us=pair.change
    )


def _layer_side(costs: Sequence[NodeCost]) -> LayerSide | None:
    if not costs:
        return None
    longest = max(costs, key=lambda cost: cost.us.mid if cost.us.known else -1.0)
    return LayerSide(
        nodes=tuple(cost.node.name for cost in costs),
        ops=tuple(dict.fromkeys(cost.node.op for cost in costs)),
        device=longest.device,
        us=Span.of(Interval.total(cost.us for cost in costs)),
        bound=longest.bound,
        macs=sum(cost.macs for cost in costs),
    )
