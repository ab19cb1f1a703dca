"""``analysis_summary.json`` of hb_analyzer (S100, J6): key figures, the time of blocks, operators left on the CPU."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from surgery.toolchain.performance import Layer, Segment, Timeline
from surgery.toolchain.profiles import perf
from surgery.toolchain.profiles.profile import Profile, ProfileError
from surgery.toolchain.profiles.units import milliseconds, not_negative, positive, reading

Object: TypeAlias = "Mapping[str, Any]"
_FIGURES, _DDR, _CPU, _PERF = (
    "hbm_key_indicators", "hbm_ddr_bytes_per_run", "bc_quantized_model_cpu_ops", "perf_json_data"
)  # fmt: skip
_TIMED = ("hbm_block_time", "hbm_top_layers_by_total_time")
"""Lists of blocks or layers, the one that has all of them first."""
_NAMES = ("block", "layer", "layer_name", "name")
_COST = "total_time_us"


def claims(text: str) -> bool:
    """Whether ``text`` is such a JSON."""
    return any(f'"{key}"' in text for key in (_FIGURES, _DDR, *_TIMED, _CPU))


def read(text: str, path: str) -> Profile:
    """The profile; ProfileError for a JSON that is cut, or in which no latency is."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"is cut, or no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ProfileError(f"is {type(found).__name__}, an object is wanted")
    with reading("the summary"):
        return _profile(found, path)


def _profile(found: Object, path: str) -> Profile:
    skipped = list[str]()
    inner = perf.profile(found[_PERF], path) if isinstance(found.get(_PERF), dict) else None
    return Profile(
        path,
        "analysis",
        march=inner.march if inner else "",
        level=inner.level if inner else "",
        segments=inner.segments if inner else (_segment(found, skipped),),
        cpu_ops=tuple(_cpu(found.get(_CPU, ()), skipped)),
        int16=inner.int16 if inner else None,
        skipped=(*skipped, *(inner.skipped if inner else ())),
    )


def _segment(found: Object, skipped: list[str]) -> Segment:
    latency_ms, fps = _figures(found.get(_FIGURES, ()), skipped)
    if latency_ms is None:
        raise ProfileError(f"has no latency among its {_FIGURES}")
    return Segment(
        name="",
        latency_us=latency_ms * 1e3,
        fps=fps or 1e3 / latency_ms,
        ddr_bytes=int(not_negative(found.get(_DDR, 0), _DDR)),
        loaded_bytes=0,
        stored_bytes=0,
        ops=0,
        timeline=Timeline(0.0, (), (), ()),
        layers=tuple(_layers(found, skipped)),
    )


def _figures(rows: Any, skipped: list[str]) -> tuple[float | None, float | None]:
    """Latency in ms and frames per second among the key figures."""
    latency, fps = None, None
    for row in rows:
        title, value = str(row.get("title", "")), row.get("value")
        if "latency" in title.lower():
            latency = milliseconds(value, str(row.get("unit", "")), title)
        elif "fps" in title.lower():
            fps = positive(value, title)
        else:
            skipped.append(f"key figure {title!r:.60}")
    return latency, fps


def _layers(found: Object, skipped: list[str]) -> Iterator[Layer]:
    rows = next((found[key] for key in _TIMED if isinstance(found.get(key), list)), ())
    for at, row in enumerate(rows):
        name = next((str(row[key]) for key in _NAMES if key in row), None) if isinstance(row, dict) else None
        if name is None or _COST not in row:
            skipped.append(f"block {at}, which has no name or no {_COST}")
            continue
        us = not_negative(row[_COST], f"{_COST} of {name}")
        yield Layer(name, 0, (), (), us, 0.0, None, None)


def _cpu(rows: Any, skipped: list[str]) -> Iterator[str]:
    """Names of operators on the CPU, from a list of names or of objects."""
    for at, row in enumerate(rows):
        name = row if isinstance(row, str) else row.get("name") or row.get("op") if isinstance(row, dict) else None
        if name:
            yield str(name)
        else:
            skipped.append(f"CPU operator {at}, which has no name")
