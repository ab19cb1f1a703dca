"""What a search comes to: the sentence about its best variant, and the command that makes it."""

from __future__ import annotations

from pathlib import PurePath

from surgery.report.text import interval, number, plural
from surgery.report.tradeoff import Paired, TradeoffDocument, Variant
from surgery.report.verdict import Closing, Finding, closing, command, findings


@findings.register
def _(document: TradeoffDocument) -> frozenset[Finding]:
    failed = any(variant.status == "failed" for variant in document.variants)
    return frozenset({Finding.FAILED}) if failed or not document.front else frozenset()


@closing.register
def _(document: TradeoffDocument) -> Closing:
    best, tried = document.best(), plural(len(document.variants) - 1, "variant")
    if best is None:
        reason = next((v.reason for v in document.variants[1:] if v.reason), "nothing was tried")
        return Closing(False, f"None of {tried} can be shipped; the first: {reason}")
    value, before = document.value(best) or 0.0, document.value(document.baseline) or 0.0
    kept = value <= before if document.least else value >= before
    what = "is the fastest that loses no" if kept else "loses least"
    metric = f"{document.metric} (int8)" if document.int8 else document.metric
    said = f"Of {tried}, number {best.number} {what} {metric}: {number(value, 5)}, {number(before, 5)} as given"
    sure = f" ({held(document, pair)})" if (pair := document.against(best)) else ""
    time = f"; {interval(best.latency_ms)} on {document.march}" if best.latency_ms else ""
    sentence = f"{said}{sure}{time}.{_witnessed(document, best)}"
    return Closing(not findings(document), sentence, again(document, best))


def _witnessed(document: TradeoffDocument, best: Variant) -> str:
    """What the vendor's toolchain has of the best variant; "" where it was not asked."""
    rows = document.witness.variants if document.witness else ()
    row = next((row for row in rows if row.number == best.number), None)
    if document.witness is None or row is None:
        return ""
    if not row.compiled.accepted:
        return f" The toolchain does not take it: {row.compiled.reason}"
    value, micro = row.int8.get(document.metric), row.compiled.latency_us
    metric = "" if value is None else f"{document.metric} {number(value, 5)}, "
    time = "nothing" if micro is None else f"{number(micro * 1e-3, 4)} ms"
    return f" By the toolchain: {metric}{time} on the BPU at {document.witness.level}."


def held(document: TradeoffDocument, pair: Paired) -> str:
    """What a paired test says, in words."""
    verdict, samples = document.verdict(pair), plural(pair.samples, "sample")
    if verdict == "not distinguishable":
        return f"not distinguishable from the original on {samples}"
    return f"{verdict} than the original, as {samples} show"


def again(document: TradeoffDocument, variant: Variant) -> str:
    """The command that makes a variant."""
    words = ["run", document.model.path or "MODEL", "-o", output_of(document, variant), "--march", document.march]
    words += ["-p", document.pipeline] if document.pipeline else []
    words += [w for name, sizes in document.input_shape.items() for w in ("--input-shape", _sizes(name, sizes))]
    words += [w for name in variant.add for w in ("--add", name)]
    words += [w for name in variant.skip for w in ("--skip", name)]
    words += [w for name, value in variant.settings.items() for w in ("--set", f"{name}={value}")]
    words += [w for name, bound in document.budget.items() for w in ("--budget", f"{name}={bound:g}")]
    words += ["--inputs", document.given] if document.given else []
    return command(*words, "--samples", str(document.samples))


def output_of(document: TradeoffDocument, variant: Variant) -> str:
    """The file that a variant is written to."""
    return f"{PurePath(document.model.path or 'MODEL').stem}.{document.march}.{variant.number}.onnx"


def _sizes(name: str, sizes: tuple[int, ...]) -> str:
    return f"{name}={'x'.join(map(str, sizes))}"
