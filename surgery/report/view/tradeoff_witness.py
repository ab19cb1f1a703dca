"""Content of what the vendor's toolchain made of a front, and of how far simulation and estimate were off."""

from __future__ import annotations

from collections.abc import Iterator

from surgery.report.text import change, interval, number, plural
from surgery.report.tradeoff import TradeoffDocument, WitnessedVariant, WitnessTradeoff
from surgery.report.view.content import Block, Cell, Note, table
from surgery.report.view.witness import answered


def witness_blocks(document: TradeoffDocument) -> tuple[Block, ...]:
    """The original and the front by the toolchain; nothing where it was not asked."""
    found = document.witness
    if found is None:
        return ()
    metric = document.metric.replace("|", "¦")
    head = (
        f"#No.|Taken|#{metric}, float|#int8 simulated|#int8 witnessed|Against float original|#BPU, ms at {found.level}"
    )
    rows = table(f"{head}|#… estimated|#… over compiled", (_row(document, row) for row in found.variants))
    reasons = (Note(f"{row.number}: {said}", "warn") for row in found.variants if (said := _reason(row)))
    return (Note(_provenance(found), "muted"), rows, *reasons, *_off(document))


def _provenance(found: WitnessTradeoff) -> str:
    tools = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return (
        f"The integers are the toolchain's own, thresholds by {found.method} over {plural(found.samples, 'sample')}; "
        f"its time is that of the BPU segments, without what runs on the CPU. {tools}"
    ).strip()


def _row(document: TradeoffDocument, row: WitnessedVariant) -> list[Cell | str]:
    variant, pair = document.variants[row.number], row.paired.get(document.metric)
    return [
        str(row.number),
        answered(row.compiled),
        number(variant.metrics.get(document.metric), 5),
        number(variant.int8.get(document.metric), 5),
        number(row.int8.get(document.metric), 5),
        "–" if pair is None else document.verdict(pair),
        number(_milliseconds(row), 4),
        interval(variant.bpu_ms).removesuffix(" ms").replace(" ms ", " "),
        number(_ratio(document, row)),
    ]


def _milliseconds(row: WitnessedVariant) -> float | None:
    return None if row.compiled.latency_us is None else row.compiled.latency_us * 1e-3


def _ratio(document: TradeoffDocument, row: WitnessedVariant) -> float | None:
    """The estimated over the compiled time on the BPU."""
    span, found = document.variants[row.number].bpu_ms, _milliseconds(row)
    return None if span is None or span.mid is None or not found else span.mid / found


def _reason(row: WitnessedVariant) -> str:
    """Why a model was not compiled, or its integers not measured."""
    known = row.compiled.accepted or row.compiled.reason in row.reason
    return "; ".join(filter(None, [row.reason, "" if known else row.compiled.reason]))


def _off(document: TradeoffDocument) -> Iterator[Note]:
    """How far the simulation and the estimate were off."""
    rows = document.witness.variants if document.witness else ()
    pairs = [(document.variants[r.number].int8.get(document.metric), r.int8.get(document.metric)) for r in rows]
    apart = [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]
    if apart:
        worst, models = max(apart, key=abs), plural(len(apart), "model")
        yield Note(f"The simulated {document.metric} is off by {change(worst)} at most, in {models}.")
    if ratios := sorted(ratio for row in rows if (ratio := _ratio(document, row)) is not None):
        span = " to ".join(dict.fromkeys(map(number, (ratios[0], ratios[-1]))))
        yield Note(f"The estimated BPU time is {span} times the compiled one.")
