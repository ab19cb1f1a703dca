"""Documents as the tests need them: a plain one of each kind, and one whose names are hostile."""

from __future__ import annotations

from surgery.report.base import ModelRef, Span
from surgery.report.check import Assumed, CheckDocument, NodeRow, Refusal, Step, Summary, Violation
from surgery.report.cost import CostDocument, NodeTime, Traffic, TransferTime
from surgery.report.cost_diff import CostDiffDocument, CostSide, KindChange, LayerChange, LayerSide
from surgery.report.diff import DiffDocument, FirstBad, ValueDrift
from surgery.report.padding import PaddedSize, PaddingNote
from surgery.report.run import Accuracy, Bound, Edit, Interface, Left, PassRow, Port, RunDocument, Side, ThinnedWeight
from surgery.report.totals import KindTime, SegmentTime, SlotTime
from surgery.report.tradeoff import Applied, Paired, Searched, TradeoffDocument, Variant
from surgery.report.usage import Ceilings, Efficiency
from surgery.report.what_if import Throughput, WhatIfPart

HOSTILE = "a|b`c`<script>alert(1)</script>[bold]x[/bold]\x1b[31m\n# h\u202e"
"""A name with the syntax of every view, an escape sequence, a line break and a direction override."""

MODEL = ModelRef(path="models/digits.onnx", sha256="ab" * 32, opset=17, ir_version=8)


def span(mid: float) -> Span:
    return Span(low=mid * 0.7, mid=mid, high=mid * 1.6)


def violation(constraint: str = "Conv.kernel_h") -> Violation:
    return Violation(
        constraint=constraint,
        found=9,
        allowed="1..7",
        cured_by=("split-kernels",),
        source="x5-operator-list",
        text="kernel height at most 7",
        evidence="read",
    )


def summary(cpu: int = 1) -> Summary:
    return Summary(
        nodes=9, bpu=6 - cpu, cpu=cpu, folded=2, unknown=1, segments=2, macs=4_360_000_000, mac_coverage=0.987
    )


def check(name: str = "conv_1", *, accepted: bool = True) -> CheckDocument:
    refusal = Refusal(rule="model.opset", found=17, allowed="10..11", source="x3-faq")
    rows = (
        NodeRow(name=name, op="Conv", device="cpu", segment=None, violations=(violation(),)),
        NodeRow(name="relu_1", op="Relu", device="bpu", segment=0),
        NodeRow(name="mish", op="Mish", device="unknown", segment=None, note="not in the operator table"),
    )
    refusals = () if accepted else (refusal,)
    return CheckDocument(
        model=MODEL,
        march="bayes-e",
        accepted=accepted,
        refusals=refusals,
        summary=summary(),
        nodes=rows,
        todo=(Step(text=f"split-kernels cures Conv.kernel_h at {name}.", command=f"surgery run {name}", nodes=1),),
        notes=(padding(name),),
    )


def padding(name: str = "conv_1") -> PaddingNote:
    sizes = (PaddedSize(what="width", size=20, aligned=32),)
    return PaddingNote(
        name=name, op="Conv", device="bpu", sizes=sizes, waste=0.375, share=0.02, lost_macs=600, source="fit"
    )


def assumed_check() -> CheckDocument:
    """A node on the CPU by limits of another march."""
    borrowed = violation().model_copy(update={"evidence": "assumed"})
    row = NodeRow(
        name="conv_1", op="Conv", device="cpu", segment=None, violations=(borrowed,), assumed=True,
        note="limits assumed from bayes-e", macs=600,
    )  # fmt: skip
    plain = check().model_copy(update={"march": "nash-e", "nodes": (row,)})
    return plain.model_copy(update={"assumed": Assumed(march="bayes-e", nodes=1)})


def cost(name: str = "conv_1") -> CostDocument:
    use = Efficiency(compute=0.4, parameters=0.1, intensity=800.0, attained=0.4)
    node = NodeTime(
        name=name, op="Conv", device="bpu", us=span(120.0), bound="compute", macs=10**9, basis="fitted", kind="dense",
        segment=0, read=1_000_000, written=250_000, weights=900_000, efficiency=use,
    )  # fmt: skip
    transfer = TransferTime(tensor=name, direction="to host", bytes=8400, us=span(12.0))
    return CostDocument(
        model=MODEL,
        march="bayes-e",
        bpu_ms=span(3.5),
        latency_ms=span(5.25),
        throughput_fps=frames(190.0),
        what_if=otherwise(name),
        macs=10**9,
        bytes=Traffic(read=12_000_000, written=3_000_000),
        efficiency=use,
        ceilings=Ceilings(
            macs_per_s=2e12, bytes_per_s=7e9, ridge=2e12 / 7e9, engine="dense", basis="fitted", source="fit"
        ),
        kinds=(KindTime(kind="dense", device="bpu", nodes=1, us=span(120.0), macs=10**9, efficiency=use),),
        segments=(
            SegmentTime(
                segment=0, nodes=1, begin_us=362.0, us=span(142.0), macs=10**9, read=1_000_000, written=250_000
            ),
        ),
        nodes=(node,),
        transfers=(transfer,),
        timeline=(
            SlotTime(work="submit", name="", segment=0, begin_us=0.0, us=362.0),
            SlotTime(work="layer", name=name, segment=0, begin_us=362.0, us=120.0),
            SlotTime(work="transfer", name=name, segment=None, begin_us=482.0, us=12.0),
        ),
    )


def cost_diff(name: str = "conv_1") -> CostDiffDocument:
    def totals(ms: float) -> CostSide:
        traffic = Traffic(read=12_000_000, written=3_000_000)
        return CostSide(
            model=MODEL, bpu_ms=span(ms), latency_ms=span(2 * ms), macs=10**9, bytes=traffic, nodes=1, segments=1
        )

    def layer(us: float) -> LayerSide:
        return LayerSide(nodes=(name,), ops=("Conv",), device="bpu", us=span(us), bound="compute", macs=10**9)

    return CostDiffDocument(
        march="bayes-e",
        before=totals(3.5),
        after=totals(2.5),
        speedup=Span(low=1.2, mid=1.4, high=1.5),
        kinds=(KindChange(kind="dense", device="bpu", before_us=120.0, after_us=80.0),),
        layers=(LayerChange(before=layer(120.0), after=layer(80.0), by="name", change_us=-40.0),),
    )


def frames(fps: float) -> tuple[Throughput, ...]:
    return tuple(Throughput(threads=n, fps=span(n * fps)) for n in (1, 2))


def otherwise(name: str) -> WhatIfPart:
    return WhatIfPart(
        asked=f"int16={name},batch=4", batch=4, bpu_ms=span(9.0), latency_ms=span(11.0), throughput_fps=frames(360.0),
        speedup=span(1.9),
    )  # fmt: skip


def drift(name: str = "y", far: float = 2e-6) -> ValueDrift:
    return ValueDrift(
        name=name,
        max_abs=far,
        rel_to_range=far,
        cosine=1.0 - far,
        sqnr_db=98.5,
        bit_identical=far == 0.0,
        worst_rel=far,
    )


def diff(name: str = "y", far: float = 2e-6) -> DiffDocument:
    taps = (drift("h", 0.0), drift(name, far))
    first = None if far <= 1e-4 else FirstBad(name=name, node="n", op="Add", reason=f"differs by {far}")
    return DiffDocument(
        model=MODEL,
        candidate=MODEL,
        samples=4,
        inputs="seeded, standard normal",
        outputs=(drift(name, far),),
        taps=taps,
        first_bad=first,
    )


def side(cpu: int, ms: float) -> Side:
    return Side(**summary(cpu).model_dump(), accepted=True, bpu_ms=span(ms / 2), latency_ms=span(ms))


def passes() -> tuple[PassRow, ...]:
    rows = [
        ("fold-constants", "normalise", "exact", "applied", ""),
        ("remove-noops", "normalise", "exact", "unchanged", ""),
    ]
    rows += [("substitute-ops", "legalise", "rounding", "rolled-back", "output y moved by 0.2, allowed 0.0001")]
    return tuple(
        PassRow(name=name, purpose=purpose, exactness=exactness, matched=3, applied=2, refused=1, seconds=0.1234,
                status=status, reason=reason, drift_step=0.0, drift_total=2e-6,
                widened=(Bound(output="y", bound=0.0042, channels=3),))
        for name, purpose, exactness, status, reason in rows
    )  # fmt: skip


def run(name: str = "conv_1", verified: str = "full") -> RunDocument:
    left = Left(**violation("Resize.scale").model_dump(), node=name, op="Resize")
    ports = (Port(name=name, dtype="float32", shape=(1, "N", None, 8)),)
    return RunDocument(
        model=MODEL,
        march="bayes-e",
        output="out/digits.onnx",
        before=side(4, 12.5),
        after=side(1, 5.25),
        speedup=Span(low=1.9, mid=2.4, high=3.1),
        passes=passes(),
        verified=verified,
        drift=diff(name),
        edits=(Edit(kind="removed", old=(name,), new=(), by="fold-constants"),),
        thinned=(ThinnedWeight(weight=name, node=name, before=(8, 3, 1, 1), after=(5, 3, 1, 1)),),
        io=Interface(removed=(name,), inputs=ports, outputs=ports, changed=True),
        normalised=(f"initializer {name} was also an input",),
        violations=(left,),
        accuracy=Accuracy(evaluator="digits:top1", before={"top1": 0.9711}, after={"top1": 0.9685}),
        seconds=1.5,
        replay={"seed": 0, "samples": 4, "versions": {"surgery": "0.1.0", "onnx": "1.18"}},
    )


def pair(difference: float = 0.0, reach: float = 0.01) -> Paired:
    return Paired(
        difference=difference, low=difference - reach, high=difference + reach, p=0.5, samples=360, method="mcnemar"
    )


def tradeoff(name: str = "Conv_1", *, metric: str = "accuracy") -> TradeoffDocument:
    left = Left(**violation().model_dump(), node=name, op="Conv")
    done = Applied(name="tile-kernels", status="applied", exactness="rounding", applied=1, drift_total=1e-6)
    made = {"accepted": True, "cpu": 0, "segments": 1, "verified": "full"}
    measured = Variant(metrics={metric: 0.98}, int8={metric: 0.97}, latency_ms=span(4.0), **made)
    faster = {"number": 1, "latency_ms": span(2.0), "skip": ("share-equals",), "settings": {"a.b": "true", "a.c": "1"}}
    faster |= {"passes": (done,), "violations": (left,), "drift": 1e-6, "paired_int8": {metric: pair()}}
    worse = {"number": 4, "latency_ms": span(5.0), "model": "x", "paired_int8": {metric: pair(-0.02, 0.001)}}
    variants = (
        measured,
        measured.model_copy(update=faster),
        Variant(number=2, status="failed", reason=f"the evaluator raised {name}", add=("strip-io-nodes",)),
        Variant(number=3, status="infeasible", reason="3 ms are predicted", latency_ms=span(3.0)),
        measured.model_copy(update=worse),
        measured.model_copy(update={"number": 5, "latency_ms": span(5.0), "model": "x"}),
    )
    return TradeoffDocument(
        model=MODEL,
        march="bayes-e",
        samples=4,
        evaluator="models.eval:accuracy",
        metric=metric,
        int8=True,
        calibration="max",
        search=Searched(strategy="exhaustive", seed=0, trials=5, points=5),
        space={"share-equals": [True, False], "a.b": [True, False], "a.c": [name]},
        variants=variants,
        front=(1,),
    )
