"""Blocks about the efficiency of convolutions: by form, and layer by layer with other numbers of groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from surgery.report.convolutions import ConvolutionPart, ConvolutionRow, FormTotal
from surgery.report.text import amount, interval, number
from surgery.report.view.content import Block, Cell, Note, Section, code, table
from surgery.report.view.costs import shares
from surgery.report.view.nodes import DEVICES


def convolution_sections(part: ConvolutionPart | None) -> tuple[Section, ...]:
    """The sections of a part; none where it was not asked for."""
    if part is None:
        return ()
    forms = (Note(part.reason, "warn"),) if part.reason else (*_forms(part), *_ceilings(part))
    return (
        Section("Efficiency of convolutions", forms),
        Section("Convolutions, layer by layer", _layers(part)),
        Section("In other numbers of groups", _groups(part)),
    )


def _forms(part: ConvolutionPart) -> tuple[Block, ...]:
    if not part.totals:
        return (Note("No convolution on the BPU.", "muted"),)
    head = "Form|#Layers|#MACs|#Weights|#Time|#Compute|#Parameters|#Time, all dense"
    return (table(head, map(_form, part.totals)),)


def _form(total: FormTotal) -> list[Cell | str]:
    dense = interval(total.dense_us, "µs") if total.dense_us.mid is not None else "–"
    time = interval(total.us, "µs")
    counts = [str(total.layers), amount(total.macs), amount(total.parameters)]
    return [total.form, *counts, time, *shares(total.efficiency), dense]


def _ceilings(part: ConvolutionPart) -> tuple[Block, ...]:
    if part.ceilings is None or not part.totals:
        return ()
    top = part.ceilings
    rates = f"{amount(top.macs_per_s)}MAC/s ({top.engine}) and {amount(top.bytes_per_s)}B/s of weights"
    said = f"Shares are of {rates}. Times are those of layers alone, neighbours hide a part of each other's."
    return (Note(said), Note(f"Source: {top.source}", "muted"))


def _layers(part: ConvolutionPart) -> tuple[Block, ...]:
    """The layers, those that take longest first."""
    head = "Layer|=ON|=Form|#Groups|Channels|#MACs|#Weights|#Time|#Compute|#Parameters"
    return (replace(table(head, map(_layer, _longest(part.layers))), live=True),) if part.layers else ()


def _layer(row: ConvolutionRow) -> Iterable[Cell | str]:
    yield code(row.name)
    yield Cell(row.device, DEVICES.get(row.device, ""))
    yield row.form
    yield Cell(str(row.groups), key=row.groups)
    yield f"{row.inputs} → {row.outputs}, {'x'.join(map(str, row.kernel))}"
    yield Cell(amount(row.macs), key=row.macs)
    yield Cell(amount(row.parameters), key=row.parameters)
    yield Cell(interval(row.us, "µs"), key=row.us.mid or 0.0)
    yield from shares(row.efficiency)


def _groups(part: ConvolutionPart) -> tuple[Block, ...]:
    """What other groups would take, where there are any."""
    chosen = _longest([row for row in part.layers if len(row.groupings) > 1])
    rows = ((code(row.name), str(row.groups), _choices(row), Cell(row.advice, "good")) for row in chosen)
    return (table("Layer|#Groups|µs by number of groups|Predicted faster", rows),) if chosen else ()


def _choices(row: ConvolutionRow) -> str:
    return ", ".join(f"{choice.groups}: {number(choice.us.mid)}" for choice in row.groupings)


def _longest(rows: Sequence[ConvolutionRow]) -> list[ConvolutionRow]:
    return sorted(rows, key=lambda row: -(row.us.mid or 0.0))
