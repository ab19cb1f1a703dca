"""Content of ``tradeoff``: the front, every variant in a row, and a part for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surgery.report.text import change, interval, number, plural
from surgery.report.tradeoff import BASELINE, Applied, Paired, TradeoffDocument, Variant, Verdict
from surgery.report.tradeoff_next import steps
from surgery.report.verdict import closing
from surgery.report.verdict_tradeoff import again, held
from surgery.report.view.content import Block, Cell, Dot, Note, Page, Scatter, Section, Table, Tone, code, table
from surgery.report.view.placed import violation_blocks
from surgery.report.view.ran import STATUS, VERIFIED
from surgery.report.view.tradeoff_witness import witness_blocks

OUTCOME: dict[str, Tone] = {"ok": "good", "infeasible": "muted", "failed": "bad"}
"""Every status of a variant with its tone."""
ORIGINAL = "the model as it was given"


def tradeoff_page(document: TradeoffDocument) -> Page:
    """The report of a search."""
    front = [document.variants[at] for at in document.front]
    sections = (
        Section("Accuracy and time", _chart(document), detail=True, open=True),
        Section("What to do next", _next(document)),
        Section("The front, fastest first", (_table(document, front),) if front else ()),
        Section("By the vendor's toolchain", witness_blocks(document)),
        Section("Every variant", (_live(_table(document, document.variants)),), detail=True, open=True),
        Section("Not measured", _reasons(document)),
        *(_part(document, variant) for variant in document.variants),
        Section("To run it again", _replay(document), detail=True),
    )
    kept = tuple(section for section in sections if section.blocks)
    subject = document.model.path or "in memory"
    return Page(f"Accuracy and time on {document.march}", subject, _facts(document), kept, closing(document))


def _facts(document: TradeoffDocument) -> tuple[tuple[str, Cell], ...]:
    counts = {status: sum(v.status == status for v in document.variants[1:]) for status in OUTCOME}
    best = document.best()
    value = None if best is None else document.value(best)
    return (
        ("Variants", Cell(str(len(document.variants) - 1))),
        ("Measured", Cell(str(counts["ok"]), "good" if counts["ok"] else "bad")),
        ("Infeasible", Cell(str(counts["infeasible"]))),
        ("Failed", Cell(str(counts["failed"]), "bad" if counts["failed"] else "")),
        ("Search", Cell(document.search.strategy)),
        (said(document), Cell(f"{number(document.value(document.baseline), 5)} → {number(value, 5)}")),
        ("Latency", Cell("–" if best is None else interval(best.latency_ms))),
    )


def said(document: TradeoffDocument) -> str:
    """What is traded, in words."""
    return f"{document.metric}, int8" if document.int8 else document.metric


def _chart(document: TradeoffDocument) -> tuple[Block, ...]:
    dots = tuple(_dots(document))
    if not dots:
        return (
            Note(f"No time is known on {document.march}: the variants are ranked by {said(document)} alone.", "warn"),
        )
    title = f"{said(document)} over predicted latency; lines across go from the low to the high of the prediction"
    if any(document.against(variant) for variant in document.variants):
        title += ", those upright are the 95 % interval of the difference from the original, drawn from its value"
    better = "less is better" if document.least else "more is better"
    return (Scatter(title, "predicted latency, ms", f"{said(document)} ({better})", dots),)


def _dots(document: TradeoffDocument) -> Iterator[Dot]:
    for variant in document.variants:
        span, value = variant.latency_ms, document.value(variant)
        if span is None or span.mid is None or value is None:
            continue
        low, high = span.low or 0.0, span.mid if span.high is None else span.high
        title = f"{_name(document, variant)}: {said(document)} {number(value, 5)}, {interval(span)}"
        label, anchor = str(variant.number), _anchor(variant)
        if variant.number in document.front:
            yield Dot(span.mid, low, high, value, "front", title, label, anchor, _reach(document, variant))
        elif variant.number == BASELINE:
            yield Dot(span.mid, low, high, value, "reference", title, label, anchor)
        else:
            yield Dot(span.mid, low, high, value, "other", title, "", anchor)


def _reach(document: TradeoffDocument, variant: Variant) -> tuple[float, float] | None:
    """The interval of the difference from the original, around what the original has."""
    pair, own = document.against(variant), document.value(document.baseline)
    return None if pair is None or own is None else (own + pair.low, own + pair.high)


def _anchor(variant: Variant) -> str:
    return f"v{variant.number}"


def _name(document: TradeoffDocument, variant: Variant) -> str:
    return f"{variant.number}, {described(document, variant)}"


def described(document: TradeoffDocument, variant: Variant) -> str:
    """The choices of a variant on one line, of what there is a choice about."""
    if variant.number == BASELINE:
        return ORIGINAL
    toggles = [name for name in document.space if "." not in name]
    words = [f"−{name}" for name in variant.skip] + [f"+{name}" for name in variant.add if name in toggles]
    open_ = [name for name, values in document.space.items() if isinstance(values, dict) or len(values) > 1]
    words += [f"{name}={value}" for name, value in variant.settings.items() if name in open_]
    return ", ".join(words) or "the pipeline as it is"


def _table(document: TradeoffDocument, variants: Sequence[Variant]) -> Table:
    names = list(document.baseline.metrics)
    metrics = [*(f"#{name}" for name in names), *(f"#{name}, int8" for name in names if document.int8)]
    paired = any(document.against(variant) for variant in document.variants)
    against = ["#Change (95 %)", "=Against the original"] if paired else []
    head = ["#No.", "Choice", "=Status", "#Latency, ms", *map(_plain, metrics), *against, "#Drift", "#On the CPU"]
    return table("|".join(head), (_row(document, variant, names, paired=paired) for variant in variants))


def _plain(title: str) -> str:
    """A metric's name as part of a table's head, where ``|`` parts columns."""
    return title.replace("|", "¦")


def _row(document: TradeoffDocument, variant: Variant, names: Sequence[str], *, paired: bool) -> list[Cell | str]:
    span = variant.latency_ms
    values = [variant.metrics.get(name) for name in names]
    values += [variant.int8.get(name) for name in names] if document.int8 else []
    return [
        Cell(str(variant.number), key=variant.number, anchor=_anchor(variant)),
        described(document, variant),
        Cell(variant.status, OUTCOME[variant.status]),
        Cell(interval(span).replace(" ms", ""), key=None if span is None else span.mid),
        *(Cell(number(value, 5), key=value) for value in values),
        *(_compared(document, variant) if paired else ()),
        Cell(number(variant.drift), key=variant.drift),
        "–" if variant.cpu is None else str(variant.cpu),
    ]


VERDICT: dict[Verdict, Tone] = {"better": "good", "worse": "bad", "not distinguishable": ""}


def _compared(document: TradeoffDocument, variant: Variant) -> tuple[Cell, Cell]:
    """The interval of the difference from the original, and what it says."""
    pair = document.against(variant)
    if pair is None:
        return Cell("–"), Cell("–")
    verdict = document.verdict(pair)
    return Cell(_range(pair), key=pair.difference), Cell(verdict, VERDICT[verdict])


def _range(pair: Paired) -> str:
    return f"{change(pair.difference)} ({change(pair.low, 2)} to {change(pair.high, 2)})"


def _next(document: TradeoffDocument) -> tuple[Block, ...]:
    """What there is to do, and the command for it, if it is one."""
    rows = [(step.text, code(step.command)) for step in steps(document)]
    return (table("Step|Command", rows),) if rows else ()


def _live(plain: Table) -> Table:
    return Table(plain.columns, plain.rows, plain.caption, live=True)


def _reasons(document: TradeoffDocument) -> tuple[Block, ...]:
    """Why variants were not measured, each reason once."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for variant in document.variants:
        if variant.status != "ok":
            reasons.setdefault((variant.status, variant.reason), []).append(variant.number)
    rows: Iterator[list[Cell | str]] = (
        [Cell(status, OUTCOME[status]), reason, str(len(found)), ", ".join(map(str, found[:10]))]
        for (status, reason), found in reasons.items()
    )
    return (table("Status|Reason|#Variants|The first", rows),) if reasons else ()


def _part(document: TradeoffDocument, variant: Variant) -> Section:
    """One variant: what it is, what was measured, what its passes did and what is left."""
    blocks: list[Block] = [table("Fact|Value", _details(document, variant))]
    if variant.number != BASELINE:
        blocks.append(Note(f"To make it: {again(document, variant)}"))
    if variant.passes:
        blocks.append(table("Pass|Exactness|#Applied|Status|#Total drift|Reason", map(_pass, variant.passes)))
    blocks += violation_blocks((left.node, left) for left in variant.violations)
    title = f"Variant {_name(document, variant)}"
    return Section(title, tuple(blocks), detail=True, anchor=_anchor(variant))


def _details(document: TradeoffDocument, variant: Variant) -> Iterator[tuple[Cell | str, ...]]:
    yield (
        "Status",
        Cell(f"{variant.status}: {variant.reason}" if variant.reason else variant.status, OUTCOME[variant.status]),
    )
    yield "Latency", interval(variant.latency_ms)
    yield "BPU time per frame", interval(variant.bpu_ms)
    yield "Speedup", interval(variant.speedup, "x")
    yield "Numbers verified", Cell(variant.verified, VERIFIED[variant.verified])
    yield "Largest drift of a channel over its range", number(variant.drift)
    for name, value in variant.metrics.items():
        before = document.baseline.metrics.get(name)
        yield f"{name}, float", _against(document, value, before, variant.paired.get(name))
    for name, value in variant.int8.items():
        before = document.baseline.int8.get(name)
        yield f"{name}, int8 simulated", _against(document, value, before, variant.paired_int8.get(name))
    twins = [v.number for v in document.variants if v.model and v.model == variant.model and v is not variant]
    if twins:
        yield "The same as", f"{plural(len(twins), 'variant')}: {', '.join(map(str, twins[:10]))}"


def _against(document: TradeoffDocument, value: float, before: float | None, pair: Paired | None) -> str:
    """A value, and in words how it is held against the original's."""
    if pair is None:
        return number(value, 5) if before in (None, value) else f"{number(value, 5)} ({change(value - (before or 0))})"
    test = "McNemar's exact test" if pair.method == "mcnemar" else "paired t"
    said = f"{number(value, 5)}; change {_range(pair)}, p {number(pair.p, 2)} ({test})"
    return said if pair.sign else f"{said}: {held(document, pair)}"


def _pass(done: Applied) -> list[Cell | str]:
    status = Cell(done.status, STATUS[done.status])
    return [code(done.name), done.exactness, str(done.applied), status, number(done.drift_total), done.reason]


def _replay(document: TradeoffDocument) -> tuple[Block, ...]:
    facts = {
        "evaluator": document.evaluator,
        "inputs": document.inputs,
        "space": ", ".join(f"{name} {values}" for name, values in document.space.items()),
        "pipeline": document.pipeline or "default",
        "budget": document.budget,
        "seed": document.search.seed,
        "trials": document.search.trials,
        "model sha256": document.model.sha256,
        **document.replay,
    }
    return (
        table("Setting|Value", ((key, code(value)) for key, value in facts.items() if value not in ("", None, {}))),
    )
