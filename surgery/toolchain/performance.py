"""``<graph>_subgraph_N.json``: what the compiler predicts for one BPU segment, layer by layer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
_COST = re.compile(r"([\d.]+) us")
_ACTIVE = re.compile(r"([\d.]+) ~ ([\d.]+) us")
_LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of the layer details: whole microseconds, ``ops`` two per multiply-accumulate.

    ``compute_us`` is without DDR, ``transfer_us`` loads and stores; layers overlap from ``begin_us`` to ``end_us``.
    """

    name: str
    ops: int
    shape: Shape
    aligned: Shape
    compute_us: float
    transfer_us: float
    begin_us: float | None
    end_us: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Utilisation of the computing units (0..1) and bandwidths (MB/s) per interval of ``step_ms``."""

    step_ms: float
    utilisation: tuple[float, ...]
    loading: tuple[float, ...]
    storing: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """One BPU segment; ``layers`` only where it was compiled with ``debug: True``."""

    name: str
    latency_us: float
    fps: float
    ddr_bytes: int
    loaded_bytes: int
    stored_bytes: int
    ops: int
    timeline: Timeline
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """All segments of a model; what runs on the CPU between them is in none of these figures."""

    level: str
    segments: tuple[Segment, ...]

    @property
    def latency_us(self) -> float:
        """BPU time of one frame."""
        return sum(segment.latency_us for segment in self.segments)

    @property
    def ddr_bytes(self) -> int:
        """Bytes moved per frame."""
        return sum(segment.ddr_bytes for segment in self.segments)

    @property
    def ops(self) -> int:
        """Effective operations per frame, two per multiply-accumulate."""
        return sum(segment.ops for segment in self.segments)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of all segments, in order."""
        return tuple(layer for segment in self.segments for layer in segment.layers)


def segment(text: str | bytes) -> Segment:
    """Read the JSON of one segment; KeyError or ValueError for anything else."""
    return summarised(json.loads(text)["summary"])


def summarised(said: Mapping[str, Any]) -> Segment:
    """The segment that the ``summary`` of such a JSON describes; KeyError or ValueError where that is none."""
    return Segment(
        name=str(said["model name"]),
        latency_us=float(said["latency (us)"]),
        fps=float(said["FPS"]),
        ddr_bytes=int(said["DDR bytes per frame"]),
        loaded_bytes=int(said["loaded bytes per frame"]),
        stored_bytes=int(said["stored bytes per frame"]),
        ops=int(said.get("BPU OPs per frame (effective)", 0)),  # absent where nothing is multiplied
        timeline=_timeline(said),
        layers=_layers(said.get("layer details", ())),
    )


def _timeline(said: Mapping[str, Any]) -> Timeline:
    return Timeline(
        step_ms=float(said.get("interval time (ms)", 0)),
        utilisation=_numbers(said, "interval computing unit utilization"),
        loading=_numbers(said, "interval loading bandwidth (megabytes/s)"),
        storing=_numbers(said, "interval storing bandwidth (megabytes/s)"),
    )


def _numbers(said: Mapping[str, Any], key: str) -> tuple[float, ...]:
    return tuple(map(float, said.get(key, ())))


def _layers(rows: Sequence[Sequence[str]]) -> tuple[Layer, ...]:
    if not rows or rows[0][0] != _LAYER:
        return ()
    return tuple(_layer(dict(zip(rows[0], row, strict=False))) for row in rows[1:])


def _layer(cells: Mapping[str, str]) -> Layer:
    active = _ACTIVE.search(cells.get("active period of time", ""))
    return Layer(
        name=str(cells[_LAYER]),
        ops=int(cells["ops"].replace(",", "") or 0),
        shape=_shape(cells["original output shape"]),
        aligned=_shape(cells["aligned output shape"]),
        compute_us=_microseconds(cells["computing cost (no DDR)"]),
        transfer_us=_microseconds(cells["load/store cost"]),
        begin_us=float(active[1]) if active else None,
        end_us=float(active[2]) if active else None,
    )


def _shape(cell: str) -> Shape:
    """The first shape of a cell; operators with several outputs list them all."""
    found = re.search(r"\[([\d, ]*)\]", cell)
    return tuple(int(dim) for dim in found[1].split(",") if dim.strip()) if found else ()


def _microseconds(cell: str) -> float:
    found = _COST.search(cell)
    return float(found[1]) if found else 0.0
