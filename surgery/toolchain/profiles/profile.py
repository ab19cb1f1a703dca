"""What a file of the toolchain or of the board says about time: one result for every format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surgery.toolchain.log import TableRow
from surgery.toolchain.performance import Segment

Form = Literal["console", "profiler.log", "profiler.csv", "perf", "analysis", "build log"]
Role = Literal["bpu", "submit", "cpu", "quantise", "dequantise", "move"]
"""What an entry of a profile does: compute on the BPU, hand a task to it, an operator on the CPU, int8 from float,
float from int8, or moving and padding of data between layouts."""


ALONE = 1.5
"""Frames in flight up to which a run is one thread that waits for nobody."""


class ProfileError(ValueError):
    """A file that is of a format, but cannot be used; the message says why, without the path."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds per frame: the average, and the least and most where they are told."""

    avg: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One entry that the runtime timed.

    Attributes:
        name: as the file has it.
        node: the toolchain's name of the node, ``name`` for BPU segments and what belongs to no node.
        op: operator, "" where the name tells of none.
        role: what it does.
        segment: number of the BPU segment, None on the CPU.
        ms: its time per frame.
    """

    name: str
    node: str
    op: str
    role: Role
    segment: int | None
    ms: Times


@dataclass(frozen=True, slots=True)
class Measured:
    """One run on a board: ``latency_ms`` from submit to done, ``fps`` of all threads together.

    ``cores`` are the BPU cores that it ran on where the tool says so; ``run_ms`` is the time of the whole run.
    """

    threads: int | None
    frames: int | None
    cores: int | None
    run_ms: float | None
    latency_ms: float
    fps: float

    @property
    def in_flight(self) -> float:
        """Frames under way at a time, by Little's law: with one thread and nothing else on the BPU about 1."""
        return self.latency_ms * self.fps * 1e-3

    @property
    def alone(self) -> bool:
        """Whether one frame was under way at a time, so that times are those of a frame."""
        return self.in_flight <= ALONE


@dataclass(frozen=True, slots=True)
class Profile:
    """All that one file says; what it does not say is None or empty.

    Attributes:
        path: the file, as given.
        form: its format, found by its content.
        model: the name of the model in it.
        march: the march it names.
        level: the level it was compiled at, O0 to O3.
        run: of a board.
        items: entries timed by the runtime, in the order of the file.
        bpu_ms: BPU time per frame as the runtime sums it.
        cpu_ms: CPU time per frame as the runtime sums it.
        pending_ms: waiting for its turn.
        running_ms: from its turn to done.
        segments: as the compiler predicts them.
        rows: the placement table.
        cpu_ops: operators on the CPU that are named without a time.
        int16: share of the multiply-accumulates that int16 takes part in, 0..1.
        skipped: what was there and not read, and why.
    """

    path: str
    form: Form
    model: str = ""
    march: str = ""
    level: str = ""
    run: Measured | None = None
    items: tuple[Item, ...] = ()
    bpu_ms: Times | None = None
    cpu_ms: Times | None = None
    pending_ms: Times | None = None
    running_ms: Times | None = None
    segments: tuple[Segment, ...] = ()
    rows: tuple[TableRow, ...] = ()
    cpu_ops: tuple[str, ...] = ()
    int16: float | None = None
    skipped: tuple[str, ...] = ()
