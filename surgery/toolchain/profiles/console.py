"""What ``hrt_model_exec perf`` prints: the conditions of the run and its result."""

from __future__ import annotations

import re

from surgery.toolchain.profiles.profile import Measured, Profile, ProfileError
from surgery.toolchain.profiles.units import count, milliseconds, plausible, positive

_VALUE = r"[\s:]+(?:is)?[\s:]*(\S+)(?:[^\S\n]+([a-zA-Zµ]+))?"
_LATENCY = re.compile(rf"\bAverage\s+latency{_VALUE}", re.IGNORECASE)
_RATE = re.compile(rf"\bFrame\s+rate{_VALUE}", re.IGNORECASE)
_RUN = re.compile(rf"\bProgram\s+run\s+time{_VALUE}", re.IGNORECASE)
_THREADS = re.compile(rf"\bThread\s+number{_VALUE}", re.IGNORECASE)
_FRAMES = re.compile(rf"\bFrame\s+count{_VALUE}", re.IGNORECASE)
_CORES = re.compile(rf"\bcore\s+number{_VALUE}", re.IGNORECASE)
_MODEL = re.compile(r"--model_name[= ](\S+)")


def claims(text: str) -> bool:
    """Whether ``text`` is such output."""
    return _RUN.search(text) is not None or _LATENCY.search(text) is not None


def read(text: str, path: str) -> Profile:
    """The profile: of several runs the last one that has a result."""
    latencies, rates = list(_LATENCY.finditer(text)), list(_RATE.finditer(text))
    if not latencies or not rates:
        raise ProfileError("the run has no result: average latency and frame rate are missing, the output is cut")
    before = text[: latencies[-1].start()]
    run_ms, named = _last(_RUN, before), _MODEL.findall(before)
    return Profile(
        path,
        "console",
        model=named[-1] if named else "",
        run=plausible(
            Measured(
                count(_value(_THREADS, before), "thread number"),
                count(_value(_FRAMES, before), "frame count"),
                count(_value(_CORES, before), "core number"),
                None if run_ms is None else milliseconds(*_with_unit(run_ms), "the program's run time"),
                milliseconds(*_with_unit(latencies[-1]), "the average latency"),
                positive(rates[-1][1], "the frame rate"),
            )
        ),
        skipped=(f"{len(latencies) - 1} earlier runs",) if len(latencies) > 1 else (),
    )


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return found[-1] if found else None


def _value(pattern: re.Pattern[str], text: str) -> str | None:
    found = _last(pattern, text)
    return found[1] if found else None


def _with_unit(found: re.Match[str]) -> tuple[str, str]:
    """Number and unit, also where nothing is between them."""
    glued = re.fullmatch(r"([-+.\deE]+)([a-zµ]+)", found[1])
    return (glued[1], glued[2]) if glued else (found[1], found[2] or "")
