"""The compiler's prediction, as JSON.

``<graph>_subgraph_N.json`` of hb_mapper and hb_perf (X3, J5, X5) has one flat summary; what hbm_perf and hb_compile
write beside an ``.hbm`` (S100, J6) has sections in it, and its layers are objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from surgery.toolchain.performance import Layer, Segment, Timeline, summarised
from surgery.toolchain.profiles.profile import Profile, ProfileError
from surgery.toolchain.profiles.units import not_negative, number, positive, reading

Object: TypeAlias = "Mapping[str, Any]"
_MARCHES = {"B25E": "bayes-e", "BAYES": "bayes", "BERNOULLI2": "bernoulli2"}
_LEVEL = re.compile(r"--(O[0-3])\b")
_US = re.compile(r"([\d.]+) us")
_ACTIVE = re.compile(r"([\d.]+)(?: us)? ~ ([\d.]+) us")
_MACS = ("double int8 macs", "double int16 macs", "feature int16 weight int8 macs", "feature int8 weight int16 macs")


def claims(text: str) -> bool:
    """Whether ``text`` is such a JSON."""
    return '"summary"' in text and '"latency (us)"' in text


def read(text: str, path: str) -> Profile:
    """The profile; ProfileError for a JSON that is cut, or lacks what every one of them has."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"is cut, or no JSON: {error}") from error
    return profile(found, path)


def profile(found: object, path: str) -> Profile:
    """The profile that the parsed JSON holds; ProfileError where it lacks what every one of them has."""
    if not isinstance(found, dict) or not isinstance(said := found.get("summary"), dict):
        raise ProfileError("has no summary")
    skipped = list[str]()
    with reading("its summary"):
        segment = _sectioned(said, skipped) if "performance" in said else _checked(summarised(said))
        info = said.get("model info") or said
        march = str(info.get("BPU march", ""))
        return Profile(
            path,
            "perf",
            march=_MARCHES.get(march, march.lower()),
            level=_level(str(info.get("compiling options", "")), default="" if "performance" in said else "O0"),
            segments=(segment,),
            int16=_int16(info),
            skipped=tuple(skipped),
        )


def _level(options: str, default: str) -> str:
    """The level among the compiler's options; hb_mapper does not name its own lowest."""
    found = _LEVEL.search(options)
    return found[1] if found else default


def _checked(segment: Segment) -> Segment:
    positive(segment.latency_us, "latency (us)")
    positive(segment.fps, "FPS")
    not_negative(segment.ddr_bytes, "DDR bytes per frame")
    for layer in segment.layers:
        not_negative(layer.compute_us, f"computing cost of {layer.name}")
        not_negative(layer.transfer_us, f"load/store cost of {layer.name}")
    return segment


def _sectioned(said: Object, skipped: list[str]) -> Segment:
    speed, traffic = said["performance"], said.get("DDR access data", {})
    loaded, stored = (int(number(traffic.get(f"{way} bytes per run", 0), way)) for way in ("loaded", "stored"))
    return _checked(
        Segment(
            name=str(said.get("model info", {}).get("model name", "")),
            latency_us=number(speed["latency (us)"], "latency (us)"),
            fps=number(speed["FPS"], "FPS"),
            ddr_bytes=loaded + stored,
            loaded_bytes=loaded,
            stored_bytes=stored,
            ops=int(number(said.get("model info", {}).get("original conv ops", 0), "original conv ops")),
            timeline=_timeline(said.get("interval info", {})),
            layers=tuple(_layers(said.get("layer details", ()), skipped)),
        )
    )


def _timeline(said: Object) -> Timeline:
    return Timeline(
        step_ms=number(said.get("interval time (ms)", 0), "interval time (ms)"),
        utilisation=_numbers(said.get("interval computing unit utilization", ())),
        loading=_numbers(said.get("interval ddr loading bandwidth (megabytes/s)", ())),
        storing=_numbers(said.get("interval ddr storing bandwidth (megabytes/s)", ())),
    )


def _numbers(values: Sequence[object]) -> tuple[float, ...]:
    return tuple(not_negative(value, "a value of the interval info") for value in values)


def _layers(rows: Sequence[object], skipped: list[str]) -> Iterator[Layer]:
    for at, row in enumerate(rows):
        if isinstance(row, dict) and "layer name" in row:
            yield _layer(row)
        else:
            skipped.append(f"layer {at}, which has no name")


def _layer(row: Object) -> Layer:
    name = str(row["layer name"])
    active = _ACTIVE.search(str(row.get("active period of time", "")))
    return Layer(
        name=name,
        ops=int(number(row.get("origin ops", 0), f"origin ops of {name}")),
        shape=(),
        aligned=(),
        compute_us=_cost(row.get("computing cost (no DDR)")),
        transfer_us=_cost(row.get("load cost")) + _cost(row.get("store cost")),
        begin_us=float(active[1]) if active else None,
        end_us=float(active[2]) if active else None,
    )


def _cost(cell: object) -> float:
    """Microseconds of a cell such as ``59 us (8.2% of model)``; what is below one is not counted."""
    found = _US.search(str(cell))
    return float(found[1]) if found else 0.0


def _int16(info: Object) -> float | None:
    """The share of multiply-accumulates with int16 in them; None where they are not told, or there are none."""
    counts = [number(info[key], key) for key in _MACS if key in info]
    total = sum(counts)
    return (total - counts[0]) / total if len(counts) == len(_MACS) and total > 0 else None
