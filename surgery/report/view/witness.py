"""Content of what the vendor's toolchain said."""

from __future__ import annotations

from surgery.report.text import amount, listed, number, plural
from surgery.report.value import ValueDrift
from surgery.report.view.content import Block, Cell, Note, code, table
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


def run_blocks(found: WitnessRun | None) -> tuple[Block, ...]:
    """Before and after, compiled for real; nothing when the toolchain was not asked."""
    if found is None:
        return ()
    rows = zip(_figures(found.before), _figures(found.after), strict=True)
    figures = table("|#Before|#After", ((title, old, new) for (title, old), (_, new) in rows))
    speed = f"Speedup {number(found.speedup)}× at {found.level}." if found.speedup else f"No speedup: {found.reason}."
    good = found.speedup is not None and found.speedup >= 1
    guilty = (Note(f"{found.guilty} made it worse.", "bad"),) if found.guilty else ()
    steps = [(code(step.by), number(step.latency_us), step.reason) for step in found.steps]
    after = (table("After the pass|#BPU time in µs|Refused", steps),) if steps else ()
    return (figures, Note(speed, "good" if good else "warn"), *guilty, *after, *_made_up(found.before))


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


def _figures(side: WitnessSide) -> list[tuple[str, Cell]]:
    return [
        ("Compiled", Cell("yes", "good") if side.accepted else Cell(f"no: {side.reason}", "bad")),
        ("BPU time in µs", Cell(number(side.latency_us, 4))),
        ("DDR bytes", Cell(amount(side.ddr_bytes))),
        ("Rows", Cell(str(side.rows))),
        ("… on the CPU", Cell(str(len(side.cpu)), "warn" if side.cpu else "good")),
        ("BPU segments", Cell(str(side.segments))),
    ]


def _verdict(side: WitnessSide) -> str:
    if not side.accepted:
        return f"The toolchain refuses the model ({side.refusal}): {side.reason}"
    cpu = f"{len(side.cpu)} on the CPU ({listed(side.cpu)})" if side.cpu else "none on the CPU"
    return f"The toolchain takes the model: {plural(side.rows, 'row')}, {cpu}, {plural(side.segments, 'segment')}."


def _made_up(side: WitnessSide) -> tuple[Note, ...]:
    return (Note("Weights were absent: seeded ones were compiled.", "muted"),) if side.made_up else ()
