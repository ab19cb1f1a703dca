"""``surgery.tradeoff/1``: variants of a pipeline, each with its accuracy and its time, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from surgery.report.base import Document, InputShape, ModelRef, Number, Part, Span, Text, schema
from surgery.report.run import Left, RunDocument, Status, Verified
from surgery.report.witness import WitnessSide

Outcome = Literal["ok", "infeasible", "failed"]
BASELINE = 0
"""The number of the variant that is the model as it was given."""


class Applied(Part):
    """What one pass did in a variant; ``drift_total`` against the original."""

    name: str
    status: Status
    exactness: str
    applied: int
    drift_total: Number = None
    reason: Text = ""


class Paired(Part):
    """A metric of a variant against that of the original, over the same ``samples`` of each.

    ``low`` and ``high`` are the 95 % interval of ``difference``, ``p`` is the probability of one as large where there
    is none. ``mcnemar`` is exact, for samples that are right or wrong; ``t`` takes the samples' own values, or those of
    the jackknife for a metric that is no mean.
    """

    difference: float
    low: float
    high: float
    p: float
    samples: int
    method: Literal["mcnemar", "t"]

    @property
    def sign(self) -> int:
        """1 or -1 for a metric that is higher or lower for sure, 0 where it cannot be told from the original's."""
        return int(self.low > 0) - int(self.high < 0)


class Variant(Part):
    """One choice, and what became of it.

    ``add``, ``skip`` and ``settings`` are what ``surgery run`` takes to make it again. ``metrics`` are of the float
    model with its interface as it was, ``int8`` of the same as the integers of the march have it; ``paired`` and
    ``paired_int8`` hold them against the original's, where the evaluator told of its samples. ``model`` is a hash
    of the rewritten model and of what moved out of it: variants with the same one compute the same. Where the status is
    not ``ok``, ``reason`` says why, and what was not measured is missing.
    """

    number: int = BASELINE
    status: Outcome = "ok"
    reason: Text = ""
    add: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    settings: dict[str, Text] = Field(default_factory=dict)
    metrics: dict[Text, float] = Field(default_factory=dict)
    int8: dict[Text, float] = Field(default_factory=dict)
    paired: dict[Text, Paired] = Field(default_factory=dict)
    paired_int8: dict[Text, Paired] = Field(default_factory=dict)
    latency_ms: Span | None = None
    bpu_ms: Span | None = None
    speedup: Span | None = None
    accepted: bool | None = None
    cpu: int | None = None
    segments: int | None = None
    verified: Verified = "none"
    drift: Number = None
    passes: tuple[Applied, ...] = ()
    violations: tuple[Left, ...] = ()
    model: str = ""


class WitnessedVariant(Part):
    """A variant as the vendor's toolchain has it.

    ``int8`` are the metrics of its own integers, ``paired`` these against the original in float; ``reason`` says why
    there are none. ``compiled`` has the BPU's time, to be held against ``bpu_ms`` of the variant.
    """

    number: int
    int8: dict[Text, float] = Field(default_factory=dict)
    paired: dict[Text, Paired] = Field(default_factory=dict)
    reason: Text = ""
    compiled: WitnessSide


class WitnessTradeoff(Part):
    """The original and the front by the vendor's toolchain: thresholds by ``method`` from ``samples``."""

    versions: dict[str, str]
    level: str
    method: str
    samples: int
    variants: tuple[WitnessedVariant, ...]


class Searched(Part):
    """How variants were chosen: ``points`` is the size of the space, None where it has no end."""

    strategy: Literal["exhaustive", "nsga-ii", "tpe"]
    seed: int
    trials: int
    points: int | None = None


Verdict = Literal["better", "worse", "not distinguishable"]


class TradeoffDocument(Document):
    """A search over variants of a pipeline.

    ``metric`` is what is traded for time, of the int8 simulation where ``int8``; ``least`` says that less of it is
    better. ``variants`` begins with the model as it was given; ``front`` holds the numbers of those that no other one
    beats in both, fastest first; variants of the same time and metric stand there once. ``given`` is where ``samples``
    come from that were not made up. ``witness`` is there where the vendor's toolchain was asked about the front.
    """

    kind: Literal["surgery.tradeoff/1"] = schema("surgery.tradeoff/1")
    model: ModelRef
    march: str
    input_shape: InputShape = Field(default_factory=dict)
    inputs: Text = ""
    given: Text | None = None
    samples: int
    evaluator: Text
    metric: Text
    least: bool = False
    int8: bool = False
    calibration: str = ""
    max_latency_ms: Number = None
    search: Searched
    pipeline: Text | None = None
    budget: dict[str, float] = Field(default_factory=dict)
    space: dict[Text, Any]
    variants: tuple[Variant, ...]
    front: tuple[int, ...]
    witness: WitnessTradeoff | None = None
    replay: dict[str, Any] = Field(default_factory=dict)

    @property
    def baseline(self) -> Variant:
        """The model as it was given."""
        return self.variants[BASELINE]

    def value(self, variant: Variant) -> float | None:
        """What is traded, of a variant; None where it was not measured."""
        return (variant.int8 if self.int8 else variant.metrics).get(self.metric)

    def against(self, variant: Variant) -> Paired | None:
        """What is traded, of a variant against the original; None where no samples are known."""
        return (variant.paired_int8 if self.int8 else variant.paired).get(self.metric)

    def verdict(self, pair: Paired) -> Verdict:
        """What the interval of a difference from the original says."""
        sign = -pair.sign if self.least else pair.sign
        return "better" if sign > 0 else "worse" if sign < 0 else "not distinguishable"

    def best(self) -> Variant | None:
        """The fastest of the front that is no worse than the model as it was given, else the most accurate of it."""
        ranked = [self.variants[number] for number in self.front]
        sign, floor = (-1 if self.least else 1), self.value(self.baseline)
        as_good = (v for v in ranked if floor is not None and sign * (self.value(v) or 0.0) >= sign * floor)
        return next(as_good, ranked[-1] if ranked else None)


def variant_of(document: RunDocument, digest: str) -> Variant:
    """What a run says of a variant, before anything is measured."""
    after = document.after
    outputs = document.drift.outputs if document.drift else ()
    return Variant(
        latency_ms=after.latency_ms,
        bpu_ms=after.bpu_ms,
        speedup=document.speedup,
        accepted=after.accepted,
        cpu=after.cpu,
        segments=after.segments,
        verified=document.verified,
        drift=max((out.worst_rel for out in outputs if out.worst_rel is not None), default=None),
        passes=tuple(
            Applied(
                name=row.name,
                status=row.status,
                exactness=row.exactness,
                applied=row.applied,
                drift_total=row.drift_total,
                reason=row.reason,
            )
            for row in document.passes
        ),
        violations=document.violations,
        model=digest,
    )


def front_of(variants: Sequence[Variant], values: Mapping[int, float], *, least: bool) -> tuple[int, ...]:
    """The numbers of the variants that no other one beats in both time and ``values``, fastest first.

    What the toolchain refuses is not among them. Where no time is known, the best value is the front.

    >>> from surgery.report.base import Span
    >>> at = lambda n, ms: Variant(number=n, accepted=True, latency_ms=Span(low=ms, mid=ms, high=ms))
    >>> front_of([at(0, 4.0), at(1, 2.0), at(2, 3.0), at(3, 2.0)], {0: 0.9, 1: 0.8, 2: 0.7, 3: 0.8}, least=False)
    (1, 0)
    """
    sign = 1.0 if least else -1.0
    measured = [v for v in variants if v.status == "ok" and v.accepted and v.number in values]
    ranked = sorted(measured, key=lambda v: (time_of(v), sign * values[v.number], v.number))
    front: list[int] = []
    for variant in ranked:
        if not front or sign * values[variant.number] < sign * values[front[-1]]:
            front.append(variant.number)
    return tuple(front)


def time_of(variant: Variant) -> float:
    """The middle of its predicted latency in ms, 0 where none is known."""
    span = variant.latency_ms
    return 0.0 if span is None or span.mid is None else span.mid
