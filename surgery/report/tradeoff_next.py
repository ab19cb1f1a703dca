"""What a search leaves to do: the variants worth making, and what would make its figures surer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from surgery.report.text import interval, number, plural
from surgery.report.tradeoff import TradeoffDocument, Variant, time_of
from surgery.report.verdict_tradeoff import again, held, output_of


@dataclass(frozen=True)
class Step:
    """A sentence, and the command that does it; "" where there is none."""

    text: str
    command: str = ""


def steps(document: TradeoffDocument) -> Iterator[Step]:
    """What there is to do, the most useful first."""
    best = document.best()
    if best is not None:
        yield Step(f"Make number {best.number}, {interval(best.latency_ms)}.", again(document, best))
        yield from _faster(document, best)
        yield from _left(document, best)
    yield from _surer(document)
    if failed := sum(variant.status == "failed" for variant in document.variants):
        yield Step(f"{plural(failed, 'variant')} failed: the reasons are under Not measured.")


def _faster(document: TradeoffDocument, best: Variant) -> Iterator[Step]:
    """The fastest variant that is faster than the best one, and no worse as far as the samples tell."""
    for variant in (document.variants[at] for at in document.front):
        pair, saved = document.against(variant), time_of(best) - time_of(variant)
        if saved > 0 and pair is not None and document.verdict(pair) != "worse":
            what = f"Number {variant.number} is {number(saved, 2)} ms faster, its {document.metric}"
            yield Step(f"{what} {held(document, pair)}: measure it on more.", again(document, variant))
            return


def _left(document: TradeoffDocument, best: Variant) -> Iterator[Step]:
    if best.cpu or best.violations:
        broken = plural(len(best.violations), "limit")
        text = f"Number {best.number} leaves {plural(best.cpu or 0, 'node')} on the CPU and {broken} broken: see why."
        yield Step(text, f"surgery check {output_of(document, best)} --march {document.march}")


def _surer(document: TradeoffDocument) -> Iterator[Step]:
    """What would say more about the accuracy."""
    if not any(variant.paired for variant in document.variants) and len(document.variants) > 1:
        yield Step("How sure the figures are is not known: let the evaluator return an array with a value per sample.")
    if not document.int8:
        yield Step("The accuracy is that of float, the chip computes in int8: search again with --int8.")
    if document.witness is None:
        yield Step("Time and int8 are predictions: where the vendor's toolchain is installed, --witness asks it.")
