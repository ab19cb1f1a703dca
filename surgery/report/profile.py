"""``surgery.profile/1``: where the time of a frame goes, as the board measured it or the compiler predicts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from surgery.report.base import Document, ModelRef, Number, Part, Text, schema

if TYPE_CHECKING:
    from surgery.toolchain.profiles import Profile
    from surgery.toolchain.profiles.breakdown import Bottleneck, Share
    from surgery.toolchain.profiles.together import Together

Work = Literal["bpu", "submit", "cpu", "quantise", "dequantise", "move", "waiting", "rest", "ddr"]
WORKS: dict[Work, str] = {
    "bpu": "BPU",
    "ddr": "BPU, memory",
    "submit": "submitting",
    "cpu": "CPU operators",
    "quantise": "quantise",
    "dequantise": "dequantise",
    "move": "layout",
    "waiting": "waiting",
    "rest": "the rest",
}
"""What each kind of work is called; ``ddr`` is the BPU where it loads and stores longer than it computes."""
Behind: TypeAlias = "Callable[[str], tuple[str, ...]]"
"""From a name of the toolchain's to the nodes of the user's model behind it."""


class FilePart(Part):
    """One file: the format found by its content, the run it tells of, and what was there and not read.

    ``latency_ms`` is from submit to done, ``fps`` that of all threads together, ``in_flight`` frames at a time.
    """

    path: Text
    form: str
    threads: int | None = None
    frames: int | None = None
    latency_ms: Number = None
    fps: Number = None
    in_flight: Number = None
    skipped: tuple[Text, ...] = ()


class SharePart(Part):
    """Milliseconds of a frame for one kind of work, its share of the whole, and how that is known."""

    work: Work
    ms: float
    share: float
    entries: int
    basis: Literal["measured", "predicted", "difference"]


class BottleneckPart(Part):
    """The kind of work that a frame takes longest for.

    ``on_cpu`` says whether operators on the CPU outlast the BPU, None where nothing tells of their time.
    """

    work: Work
    name: Text
    ms: float
    share: float
    on_cpu: bool | None


class EntryPart(Part):
    """One entry that the runtime timed, and the nodes of the model that it stands for (with ``--model``)."""

    name: Text
    op: Text
    work: Work
    segment: int | None
    ms: float
    low: Number
    high: Number
    share: float
    nodes: tuple[Text, ...] = ()


class LayerPart(Part):
    """One layer that the compiler predicts, microseconds: computing, loading and storing, and when it is active."""

    name: Text
    compute_us: float
    transfer_us: float
    begin_us: Number
    end_us: Number
    nodes: tuple[Text, ...] = ()


class SegmentPart(Part):
    """One BPU segment as the compiler predicts it; ``utilisation`` of the computing units is 0..1."""

    name: Text
    latency_us: float
    ddr_bytes: int
    ops: int
    utilisation: Number
    layers: tuple[LayerPart, ...] = ()


class AdvicePart(Part):
    """One thing to do: passes of this tool, or a key of the toolchain's YAML, and how much it concerns.

    ``ms`` is the time of what it is about: the most that can be saved by it.
    """

    text: Text
    passes: tuple[str, ...] = ()
    key: Text = ""
    ms: Number = None
    command: Text = ""
    nodes: tuple[Text, ...] = ()


class ProfileDocument(Document):
    """Where the time of a frame goes.

    ``latency_ms`` and ``fps`` are of the measured run with the fewest frames in flight, None without one. ``shares``
    add up to the whole; ``bottleneck`` is None where only totals are known. ``cpu`` names operators on the CPU of
    which no time is known, ``int16`` is the share of multiply-accumulates with int16 in them, ``unmatched`` the names
    that lead to no node of the model. ``notes`` say what the figures are not.
    """

    kind: Literal["surgery.profile/1"] = schema("surgery.profile/1")
    model: ModelRef | None = None
    name: Text = ""
    march: str = ""
    level: str = ""
    files: tuple[FilePart, ...]
    latency_ms: Number
    fps: Number
    bpu_ms: Number
    shares: tuple[SharePart, ...]
    bottleneck: BottleneckPart | None
    entries: tuple[EntryPart, ...]
    segments: tuple[SegmentPart, ...]
    cpu: tuple[Text, ...]
    int16: Number = None
    advice: tuple[AdvicePart, ...] = ()
    notes: tuple[Text, ...] = ()
    unmatched: tuple[Text, ...] = ()


def profile_document(
    found: Together, shares: Sequence[Share], worst: Bottleneck | None, behind: Behind
) -> ProfileDocument:
    """The document of profiles taken together; ``behind`` leads from names of the toolchain to nodes."""
    total = sum(share.ms for share in shares)
    return ProfileDocument(
        name=found.model,
        march=found.march,
        level=found.level,
        files=tuple(map(_file, found.files)),
        latency_ms=found.run.latency_ms if found.run else None,
        fps=found.run.fps if found.run else None,
        bpu_ms=next((share.ms for share in shares if share.work == "bpu"), None),
        shares=tuple(
            SharePart(work=s.work, ms=s.ms, share=s.ms / total, entries=s.count, basis=s.basis) for s in shares
        ),
        bottleneck=None
        if worst is None
        else BottleneckPart(work=worst.work, name=worst.name, ms=worst.ms, share=worst.share, on_cpu=worst.on_cpu),
        entries=tuple(_entries(found, total, behind)),
        segments=tuple(_segments(found, behind)),
        cpu=_untimed(found),
        int16=next((file.int16 for file in found.files if file.int16 is not None), None),
        notes=tuple(_notes(found)),
    )


def _file(profile: Profile) -> FilePart:
    run = profile.run
    return FilePart(
        path=profile.path,
        form=profile.form,
        threads=run.threads if run else None,
        frames=run.frames if run else None,
        latency_ms=run.latency_ms if run else None,
        fps=run.fps if run else None,
        in_flight=run.in_flight if run else None,
        skipped=profile.skipped,
    )


def _entries(found: Together, total: float, behind: Behind) -> Iterator[EntryPart]:
    for item in found.timed.items if found.timed else ():
        yield EntryPart(
            name=item.name,
            op=item.op,
            work=item.role,
            segment=item.segment,
            ms=item.ms.avg,
            low=item.ms.low,
            high=item.ms.high,
            share=item.ms.avg / total if total else 0.0,
            nodes=behind(item.node),
        )


def _segments(found: Together, behind: Behind) -> Iterator[SegmentPart]:
    for segment in found.segments:
        busy = segment.timeline.utilisation
        yield SegmentPart(
            name=segment.name,
            latency_us=segment.latency_us,
            ddr_bytes=segment.ddr_bytes,
            ops=segment.ops,
            utilisation=sum(busy) / len(busy) if busy else None,
            layers=tuple(
                LayerPart(
                    name=layer.name,
                    compute_us=layer.compute_us,
                    transfer_us=layer.transfer_us,
                    begin_us=layer.begin_us,
                    end_us=layer.end_us,
                    nodes=behind(layer.name),
                )
                for layer in segment.layers
            ),
        )


def _untimed(found: Together) -> tuple[str, ...]:
    """Operators on the CPU that a placement table or an analysis names, and no entry has a time of."""
    timed = {item.node for item in found.timed.items} if found.timed else set()
    named = [row.name for row in found.rows if row.device == "cpu"]
    named += [name for file in found.files for name in file.cpu_ops]
    return tuple(name for name in dict.fromkeys(named) if name not in timed)


def _notes(found: Together) -> Iterable[str]:
    """What the figures are not."""
    if found.basis and not found.basis.alone:
        flying = f"{found.basis.in_flight:.1f} frames were in flight at a time"
        yield f"{flying}: latencies include waiting for the others, and FPS counts. Measure with thread_num 1, too."
    if found.timed is None and found.segments:
        yield "The BPU's time is the compiler's prediction of it; what runs on the CPU is not in it."
    if found.timed is None and found.run is None and not found.segments:
        yield "No time is told, nodes are placed alone: surgery check --log holds a model against that."
    elif found.timed is None and not found.segments:
        yield "Only totals are known: hrt_model_exec perf --profile_path writes the time of every node."
    if found.segments and found.level == "O0":
        yield "The segments were compiled at O0, which is no deployed speed."
