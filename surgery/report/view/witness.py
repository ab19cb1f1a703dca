"""Content of what the vendor's toolchain said."""

from __future__ import annotations

from surgery.report.base import Span
from surgery.report.text import amount, interval, listed, number, plural
from surgery.report.value import ValueDrift
from surgery.report.view.content import Block, Cell, Note, code, table, yes_or_no
from surgery.report.witness import QuantisedDrift, WitnessCheck, WitnessDiff, WitnessRun, WitnessSide


def check_blocks(found: WitnessCheck | None) -> tuple[Block, ...]:
    """The toolchain's verdict, and the nodes it places differently; nothing when it was not asked."""
    if found is None:
        return ()
    side = found.side
    said = Note(_verdict(side), "good" if side.accepted else "bad")
    if not side.rows:
        return (said, *_made_up(side))
    told = f"{plural(found.agreed, 'node')} placed as we do, {len(found.disagreements)} differently."
    agreed = Note(told, "warn" if found.disagreements else "good")
    rows = [(code(d.name), code(d.op), d.ours, Cell(d.theirs, "warn")) for d in found.disagreements]
    differ = (table("Node|Operator|Ours|Theirs", rows),) if rows else ()
    put_in = [(code(i.name), i.type, i.device, code(i.node)) for i in found.inserted]
    inserted = (table("Inserted by the toolchain|Type|Device|For", put_in),) if put_in else ()
    return (said, *_made_up(side), agreed, *differ, *inserted)


def run_blocks(found: WitnessRun | None, estimated: tuple[Span | None, Span | None]) -> tuple[Block, ...]:
    """Before and after, compiled for real, beside what was ``estimated``; nothing when the toolchain was not asked."""
    if found is None:
        return ()
    sides = (_figures(side, span) for side, span in zip((found.before, found.after), estimated, strict=True))
    figures = table("|#Before|#After", ((title, old, new) for (title, old), (_, new) in zip(*sides, strict=True)))
    on_cpu = (Note(f"On the CPU after: {listed(found.after.cpu, 6)}."),) if found.after.cpu else ()
    return (figures, _speedup(found), *_steps(found), *on_cpu, *_provenance(found))


def _speedup(found: WitnessRun) -> Note:
    """How much faster it became, or every reason why that cannot be said."""
    if found.speedup:
        return Note(f"Speedup {number(found.speedup)}× at {found.level}.", "good" if found.speedup >= 1 else "warn")
    both = not found.before.accepted and not found.after.accepted
    more = f" Refused after: {found.after.reason}." if both else ""
    return Note(f"No speedup: {found.reason}.{more}", "warn")


def _steps(found: WitnessRun) -> tuple[Block, ...]:
    """Which pass made it worse, and the time after each."""
    late = "timeout" in (found.before.refusal, found.after.refusal)
    longer = (Note("--witness-limit SECONDS gives it more time.", "muted"),) if late else ()
    guilty = (Note(f"{found.guilty} made it worse.", "bad"),) if found.guilty else ()
    steps = [(code(step.by), _ms(step.latency_us), step.reason) for step in found.steps]
    after = (table("After the pass|#BPU time|Refused", steps),) if steps else ()
    return (*longer, *guilty, *after)


def _provenance(found: WitnessRun) -> tuple[Note, ...]:
    """What the figures are, and who says so."""
    tools = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    said = "BPU time is that of the segments: what runs on the CPU between them, and the transfers, are not in it."
    return (*_made_up(found.before), Note(f"{said} {tools}".strip(), "muted"))


def diff_blocks(found: WitnessDiff | None) -> tuple[Block, ...]:
    """The quantised models against the float reference; nothing when the toolchain was not asked."""
    if found is None:
        return ()
    said = f"Quantised for {found.march}, thresholds by {found.method} over {plural(found.samples, 'sample')}."
    rows = [row for part in found.rows for row in _quantised(part)]
    return (Note(said, "muted"), table("Model|Stage|Output|#Largest difference|#Over range|#Cosine|#SQNR dB", rows))


def _quantised(part: QuantisedDrift) -> list[list[Cell | str]]:
    if part.reason:
        return [[part.model, part.stage, Cell(part.reason, "bad"), *["–"] * 4]]
    return [
        [
            part.model,
            part.stage,
            code(out.name),
            *([Cell(out.problem, "bad"), *["–"] * 3] if out.problem else _numbers(out)),
        ]
        for out in part.outputs
    ]


def _numbers(out: ValueDrift) -> list[Cell | str]:
    return [number(out.max_abs), number(out.rel_to_range), number(out.cosine, 6), number(out.sqnr_db)]


def _figures(side: WitnessSide, estimated: Span | None) -> list[tuple[str, Cell]]:
    return [
        ("Compiled", Cell("yes", "good") if side.accepted else Cell(f"no ({side.refusal})", "bad")),
        ("BPU time", Cell(_ms(side.latency_us))),
        ("… as estimated", Cell(interval(estimated))),
        ("DDR bytes", Cell(amount(side.ddr_bytes))),
        ("Rows", Cell(_known(side, side.rows))),
        ("… on the CPU", Cell(_known(side, len(side.cpu)), "warn" if side.cpu else "")),
        ("BPU segments", Cell(_known(side, side.segments))),
    ]


def _known(side: WitnessSide, count: int) -> str:
    """A count of rows; there are none to count where the toolchain ended before its table."""
    return str(count) if side.rows else "–"


def _ms(microseconds: float | None) -> str:
    return "–" if microseconds is None else f"{number(microseconds / 1000, 4)} ms"


def answered(side: WitnessSide) -> Cell:
    """Whether the toolchain took the model; that it was not done in time says neither."""
    if side.refusal == "timeout":
        return Cell("not done in time", "warn")
    return yes_or_no(side.accepted)


def _verdict(side: WitnessSide) -> str:
    if not side.accepted:
        return f"The toolchain refuses the model ({side.refusal}): {side.reason}"
    cpu = f"{len(side.cpu)} on the CPU ({listed(side.cpu)})" if side.cpu else "none on the CPU"
    return f"The toolchain takes the model: {plural(side.rows, 'row')}, {cpu}, {plural(side.segments, 'segment')}."


def _made_up(side: WitnessSide) -> tuple[Note, ...]:
    return (Note("Weights were absent: seeded ones were compiled.", "muted"),) if side.made_up else ()
