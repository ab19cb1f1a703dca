"""What to do first about a check: a few sentences, the most pressing one first, each with its command or its limit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from surgery.report.check import CheckDocument, NodeRow, Refusal, Step, Violation
from surgery.report.text import listed, percent, plural, shorten
from surgery.report.verdict import look_again, run_with

MOST = 3
"""How many things are said to be the first."""

Broken: TypeAlias = tuple[NodeRow, Violation]


class _Ranked(NamedTuple):
    """A step and what it is sorted by: its rank, then how much it concerns, the most first."""

    rank: int
    step: Step
    much: tuple[int, int] = (0, 0)


_REFUSAL, _REFUSAL_UNCURED, _REFUSED, _REFUSED_UNCURED, _CURED, _UNCURED, _UNKNOWN = range(7)


def with_todo(document: CheckDocument) -> CheckDocument:
    """The document with the first things to do.

    What keeps the toolchain from taking the model comes first, then the passes that cure most nodes, then the limits
    without a cure that hold back most multiply-accumulates, then what is unknown.
    """
    found = [*_refusals(document), *_cured(document), *_uncured(document), *_unknown(document)]
    found.sort(key=lambda ranked: (ranked.rank, *(-size for size in ranked.much)))
    return document.model_copy(update={"todo": tuple(ranked.step for ranked in found[:MOST])})


def _refusals(document: CheckDocument) -> Iterator[_Ranked]:
    groups: dict[tuple[str, ...], list[Refusal]] = defaultdict(list)
    for refusal in document.refusals:
        groups[refusal.cured_by].append(refusal)
    for by, members in groups.items():
        if by:
            broken = listed([f"{r.rule} ({shorten(str(r.found), 48)})" for r in members])
            yield _Ranked(_REFUSAL, Step(text=f"{by[0]} cures {broken}.", command=run_with(document, by[:1])))
        else:
            broken = "; ".join(
                f"{r.rule} is {shorten(str(r.found), 48)}, must hold: {r.text or r.allowed}" for r in members
            )
            yield _Ranked(_REFUSAL_UNCURED, Step(text=f"Change the model, no pass cures it: {broken}."))


def _cured(document: CheckDocument) -> Iterator[_Ranked]:
    """One step per pass, the pass that cures most nodes first, each broken limit counted for one pass only."""
    left = [(row, v) for row in _off(document) for v in row.violations if v.cured_by and _is_curable(row)]
    while left:
        name = _best(left)
        taken = [(row, v) for row, v in left if name in v.cured_by]
        left = [(row, v) for row, v in left if name not in v.cured_by]
        limits = list(dict.fromkeys(v.constraint for _, v in taken))
        rows = _rows(taken)
        text = f"{name} cures {listed(limits)} at {_where(document, rows)}."
        rank = _REFUSED if _any_refused(rows) else _CURED
        step = _step(text, rows, run_with(document, (name,)))
        yield _Ranked(rank, step, (step.nodes, step.macs))


def _best(left: Sequence[Broken]) -> str:
    """The pass that cures most nodes, then most multiply-accumulates, then the first by name."""
    cured: dict[str, dict[int, NodeRow]] = defaultdict(dict)
    for row, violation in left:
        for name in violation.cured_by:
            cured[name][id(row)] = row
    work = {name: sum(row.macs for row in rows.values()) for name, rows in cured.items()}
    return min(cured, key=lambda name: (-len(cured[name]), -work[name], name))


def _uncured(document: CheckDocument) -> Iterator[_Ranked]:
    """One step per set of limits that no pass cures."""
    groups: dict[tuple[str, ...], list[Broken]] = defaultdict(list)
    for row in _off(document):
        if broken := [v for v in row.violations if not v.cured_by]:
            groups[tuple(v.constraint for v in broken)] += [(row, v) for v in broken]
    for members in groups.values():
        rows = _rows(members)
        limits = {v.constraint: v for _, v in members}
        if set(limits) == {f"{rows[0].op}.request"}:
            text = f"Ask the toolchain to run {_where(document, rows)} on the BPU (run_on_bpu in its YAML)."
            step = _step(text, rows, look_again(document, "--run-on-bpu", rows[0].op))
            yield _Ranked(_CURED, step, (step.nodes, step.macs))
            continue
        told = listed([str(v) for v in limits.values()])
        text = f"Change {_where(document, rows)}, no pass cures it: {told}."
        step = _step(text, rows)
        yield _Ranked(_REFUSED_UNCURED if _any_refused(rows) else _UNCURED, step, (step.macs, step.nodes))


def _unknown(document: CheckDocument) -> Iterator[_Ranked]:
    rows = document.on("unknown")
    if not rows:
        return
    ((note, _),) = Counter(row.note for row in rows).most_common(1)
    text = f"Find out about {plural(len(rows), 'unknown node')}{_share(document, rows)}, such as: {note or rows[0].op}."
    yield _Ranked(_UNKNOWN, _step(text, rows, "" if document.assumed else look_again(document, "--assume", "MARCH")))


def _off(document: CheckDocument) -> tuple[NodeRow, ...]:
    return tuple(row for row in document.nodes if row.device in ("cpu", "refused") and row.violations)


def _is_curable(row: NodeRow) -> bool:
    """Whether passes cure all that keeps the node off the BPU."""
    return all(v.cured_by for v in row.violations)


def _any_refused(rows: Iterable[NodeRow]) -> bool:
    return any(row.device == "refused" for row in rows)


def _rows(broken: Iterable[Broken]) -> list[NodeRow]:
    return list({id(row): row for row, _ in broken}.values())


def _step(text: str, rows: Sequence[NodeRow], command: str = "") -> Step:
    return Step(text=text, command=command, nodes=len(rows), macs=sum(row.macs for row in rows))


def _where(document: CheckDocument, rows: Sequence[NodeRow]) -> str:
    return f"{listed([shorten(row.name, 48) for row in rows], 2)}{_share(document, rows)}"


def _share(document: CheckDocument, rows: Sequence[NodeRow]) -> str:
    """The part of the model's multiply-accumulates that is in these nodes, where there is any."""
    work = sum(row.macs for row in rows)
    return f" ({percent(work / document.summary.macs)} of the MACs)" if work and document.summary.macs else ""
