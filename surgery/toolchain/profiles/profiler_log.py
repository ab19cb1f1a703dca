"""``profiler.log`` of ``hrt_model_exec perf --profile_path``: JSON objects, one after the other, parted by ``***``.

The runtime of X3 and X5 calls the sums ``chip_latency`` (later ``processor_latency``) and names BPU segments
``BPU_<model>_subgraph_<n>``; UCP (S100, J6) puts a line with its version in front and tells stages of every task.
A log of ``HB_DNN_PROFILER_LOG_PATH`` has the second object alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from surgery.toolchain.profiles.entries import items
from surgery.toolchain.profiles.profile import Form, Item, Measured, Profile, ProfileError, Times
from surgery.toolchain.profiles.units import count, number, plausible, positive, times

Object: TypeAlias = "dict[str, Any]"
_SUMS = ("chip_latency", "processor_latency")
_KNOWN = {"perf_result", "running_condition", "model_latency", "task_latency", *_SUMS}
_ODD = "***"


def claims(text: str) -> bool:
    """Whether ``text`` is such a log."""
    return any(f'"{key}"' in text for key in _KNOWN)


def read(text: str, path: str) -> Profile:
    """The profile; ProfileError where nothing in it can be used or a time cannot be."""
    return profile(path, "profiler.log", *_merged(text))


def profile(path: str, form: Form, found: Object, skipped: list[str]) -> Profile:
    """The profile of the objects of a log, merged into one; ``skipped`` is added to."""
    sums = next((_part(found, key) for key in _SUMS if key in found), {})
    task, condition = _part(found, "task_latency"), _part(found, "running_condition")
    run = _run(_part(found, "perf_result"), condition)
    entries = tuple(_entries(_part(found, "model_latency"), skipped))
    if run is None and not entries:
        raise ProfileError(f"holds neither a result nor the time of a node{'; '.join(['', *skipped])}")
    return Profile(
        path,
        form,
        model=str(condition.get("model_name", "")),
        run=run,
        items=entries,
        bpu_ms=_leaf(sums, "BPU_inference_time_cost"),
        cpu_ms=_leaf(sums, "CPU_inference_time_cost"),
        pending_ms=_leaf(task, "TaskPendingTime"),
        running_ms=_leaf(task, "TaskRunningTime"),
        skipped=tuple(skipped),
    )


def _merged(text: str) -> tuple[Object, list[str]]:
    """The objects of a log as one, and what was skipped; a key that is there again holds what it held last."""
    found: Object = {}
    skipped = list[str]()
    for part in _objects(text, skipped):
        skipped += [f"key {key!r:.60}" for key in part if key not in _KNOWN]
        skipped += [f"an earlier {key!r}" for key in part if key in found and key in _KNOWN]
        found |= part
    return found, skipped


def _objects(text: str, skipped: list[str]) -> Iterator[Object]:
    """The JSON objects of a text, whatever is between them; one that is cut is told and ends it."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            skipped.append(f"what begins at line {text.count(chr(10), 0, at) + 1} is cut or no JSON")
            following = text.find(_ODD, at)
            at = text.find("{", following) if following >= 0 else -1
            continue
        yield found
        at = text.find("{", end)


def _part(found: Object, key: str) -> Object:
    part = found.get(key, {})
    if not isinstance(part, dict):
        raise ProfileError(f"{key} is {part!r:.60}, an object is wanted")
    return part


def _leaf(part: Mapping[str, Any], key: str) -> Times | None:
    leaf = part.get(key)
    return times(leaf, key) if isinstance(leaf, dict) and "avg_time" in leaf else None


def _run(result: Object, condition: Object) -> Measured | None:
    if not {"FPS", "average_latency"} <= result.keys():
        return None
    run_ms = condition.get("run_time")
    return plausible(
        Measured(
            count(condition.get("thread_num"), "thread_num"),
            count(condition.get("frame_count"), "frame_count"),
            _cores(condition.get("core_id")),
            None if run_ms is None else positive(run_ms, "run_time"),
            positive(result["average_latency"], "average_latency"),
            positive(result["FPS"], "FPS"),
        )
    )


def _cores(core_id: object) -> int | None:
    """How many BPU cores ``core_id`` names: ``"1,2"`` is two, and 0 is any of them."""
    named = [number(one, "core_id") for one in str(core_id).split(",")] if core_id not in (None, "") else [0.0]
    return len(named) if all(named) else None


def _entries(part: Object, skipped: list[str]) -> Iterator[Item]:
    for name, leaf in part.items():
        try:
            yield from items(name, leaf if isinstance(leaf, dict) else {})
        except KeyError:
            skipped.append(f"{name!r:.80}, which has no time")
