"""What would make a profiled model faster: the pass of this tool or the key of the toolchain's YAML that does it.

Every piece of advice names the time of what it is about, which is the most that can be saved by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from surgery.report.check import NodeRow
from surgery.report.profile import AdvicePart, EntryPart, ProfileDocument
from surgery.report.text import listed, number, percent, plural
from surgery.report.verdict import command

WORTH = 0.01
"""Share of a frame below which nothing is advised about a kind of work."""
INT16 = 0.3
"""Share of multiply-accumulates with int16 from which on the vendor's guide looks for a mixed scheme."""
REMOVABLE = frozenset({"Reshape", "Transpose", "Cast"})
"""Operators besides Quantize and Dequantize that both toolchains take off the edges of a model."""
DEPLOYED = {"hb_mapper": "O3", "hb_compile": "O2"}
"""The level to deploy at, by tool."""


@dataclass(frozen=True)
class Known:
    """What is known beside the profile.

    Attributes:
        rows: the model's nodes as the march places them, by name; empty without a model or a march.
        on_request: operators that the march's toolchain runs on the BPU where it is asked to.
        cures: passes that can bring an operator to the BPU, by operator.
    """

    rows: Mapping[str, NodeRow] = field(default_factory=dict)
    on_request: frozenset[str] = frozenset()
    cures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def advised(document: ProfileDocument, known: Known) -> tuple[AdvicePart, ...]:
    """The advice for a profile, what concerns most time first; what has no time comes last."""
    found = [
        *_quantising(document, known),
        *_on_cpu(document, known),
        *_untimed(document, known),
        *_moving(document),
        *_waiting(document),
        *_bpu(document),
    ]
    return tuple(sorted(found, key=lambda one: -(one.ms or 0.0)))


def _worth(document: ProfileDocument, work: str) -> float:
    """Milliseconds of a kind of work, 0 where it is not worth a word."""
    return next((s.ms for s in document.shares if s.work == work and s.share >= WORTH), 0.0)


def _quantising(document: ProfileDocument, known: Known) -> Iterator[AdvicePart]:
    for work, op, what in (
        ("dequantise", "Dequantize", "multiply by the scale after the threshold, for what passes it"),
        ("quantise", "Quantize", "hand over int8"),
    ):
        if ms := _worth(document, work):
            entries = [entry for entry in document.entries if entry.work == work]
            ops = {known.rows[node].op for entry in entries for node in entry.nodes if node in known.rows}
            names = listed([entry.name for entry in entries], 2)
            yield AdvicePart(
                text=f"{op} takes {number(ms)} ms on the CPU ({names}): take it off, and {what}.",
                passes=("strip-io-nodes",) if f"{op}Linear" in ops else (),
                key=f"remove_node_type: {op}",
                ms=ms,
            )


def _on_cpu(document: ProfileDocument, known: Known) -> Iterator[AdvicePart]:
    """Operators on the CPU, those of one kind together."""
    if not _worth(document, "cpu"):
        return
    by_op: dict[str, list[EntryPart]] = defaultdict(list)
    for entry in document.entries:
        if entry.work == "cpu":
            by_op[entry.op.removeprefix("Hz")].append(entry)
    for op, entries in by_op.items():
        ms = sum(entry.ms for entry in entries)
        nodes = tuple(dict.fromkeys(node for entry in entries for node in entry.nodes))
        where = listed(nodes or [entry.name for entry in entries], 2)
        share = percent(sum(entry.share for entry in entries))
        yield _cured(
            document, known, op, nodes, f"{op or 'What'} at {where} takes {number(ms)} ms on the CPU ({share})", ms
        )


def _untimed(document: ProfileDocument, known: Known) -> Iterator[AdvicePart]:
    if document.cpu:
        told = f"On the CPU without a time here: {listed(document.cpu, 4)}"
        nodes = tuple(name for name in document.cpu if name in known.rows)
        ops = {known.rows[name].op for name in nodes}
        yield _cured(document, known, ops.pop() if len(ops) == 1 else "", nodes, told, None)


def _cured(
    document: ProfileDocument, known: Known, op: str, nodes: Sequence[str], told: str, ms: float | None
) -> AdvicePart:
    """What brings operators to the BPU: by the limits that the nodes break, else by the operator."""
    rows = [known.rows[node] for node in nodes if node in known.rows]
    limits = listed(list(dict.fromkeys(str(violation) for row in rows for violation in row.violations)), 2)
    what, passes, key = _cure(known, op, rows) or (_nowhere(document, rows), (), "")
    return AdvicePart(
        text=f"{told}{f' ({limits})' if limits else ''}: {what}.",
        passes=passes,
        key=key,
        ms=ms,
        command=_run(document, passes) if rows and passes else "",
        nodes=tuple(nodes),
    )


def _cure(known: Known, op: str, rows: Sequence[NodeRow]) -> tuple[str, tuple[str, ...], str] | None:
    """A sentence, the passes and the key of the YAML; None where nothing is known to help."""
    if ops := {op, *(row.op for row in rows)} & known.on_request:
        return "ask for it on the BPU", (), f"node_info / run_on_bpu: {', '.join(sorted(ops))}"
    by = tuple(dict.fromkeys(name for row in rows for violation in row.violations for name in violation.cured_by))
    if passes := by if rows else known.cures.get(op, ()):
        return f"{listed(passes)} can rewrite it", passes, ""
    if op in REMOVABLE:
        return "at an edge of the model it can be taken off", ("strip-io-nodes",), f"remove_node_type: {op}"
    return None


def _nowhere(document: ProfileDocument, rows: Sequence[NodeRow]) -> str:
    if missing := [flag for flag, known in (("--model", document.model), ("--march", document.march)) if not known]:
        return f"give {' and '.join(missing)} to learn which limit it breaks"
    return "no pass brings it to the BPU" if rows else "the toolchain has put it in"


def _run(document: ProfileDocument, passes: Sequence[str] = ()) -> str:
    path = (document.model.path if document.model else None) or "MODEL"
    added = [word for name in passes for word in ("--add", name)]
    return command("run", path, "-o", "OUT.onnx", "--march", document.march or "MARCH", *added)


def _moving(document: ProfileDocument) -> Iterator[AdvicePart]:
    if not (ms := _worth(document, "move")):
        return
    segments = len({entry.segment for entry in document.entries if entry.work == "bpu"})
    told = f"Padding and layout at the borders of {plural(segments, 'BPU segment')} take {number(ms)} ms"
    cure = "fewer operators on the CPU between them" if segments > 1 else "an input that the BPU reads as it is"
    yield AdvicePart(text=f"{told}: what helps is {cure}.", key="input_type_rt: nv12, input_layout_rt: NHWC", ms=ms)


def _waiting(document: ProfileDocument) -> Iterator[AdvicePart]:
    if (ms := _worth(document, "waiting")) and any((file.threads or 1) > 1 for file in document.files):
        yield AdvicePart(
            text=f"A frame waits {number(ms)} ms for its turn: lower thread_num where latency counts.", ms=ms
        )
    if ms := _worth(document, "submit"):
        told = f"Handing tasks to the BPU takes {number(ms)} ms: fewer segments, and no cutting of tasks."
        yield AdvicePart(text=told, key="max_time_per_fc: 0", ms=ms)


def _bpu(document: ProfileDocument) -> Iterator[AdvicePart]:
    tool = "hb_compile" if document.march.startswith("nash") else "hb_mapper"
    if document.level in ("O0", "O1"):
        told = f"It was compiled at {document.level}: times are no deployed ones."
        yield AdvicePart(text=told, key=f"optimize_level: {DEPLOYED[tool]}", ms=document.bpu_ms)
    if document.int16 is not None and document.int16 > INT16:
        told = (
            f"int16 takes part in {percent(document.int16)} of the multiply-accumulates: keep it to where it is needed."
        )
        yield AdvicePart(text=told, key="quant_config" if tool == "hb_compile" else "node_info", ms=document.bpu_ms)
    worst = document.bottleneck
    if worst is not None and worst.work == "ddr":
        told = "The BPU's layers load and store longer than they compute: keep features small, and on the chip."
        yield AdvicePart(text=told, key="compile_mode: bandwidth", ms=worst.ms)
    if document.segments and not any(segment.layers for segment in document.segments):
        yield AdvicePart(text="The BPU's time is not told layer by layer: compile with debug.", key="debug: true")
    if document.model is not None and worst is not None and worst.work in ("bpu", "ddr"):
        told = "For the BPU's time: the default pipeline keeps the rewrites that shorten it."
        yield AdvicePart(text=told, ms=document.bpu_ms, command=_run(document))
