"""A file's format found by its content, and the file read."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from types import ModuleType

from surgery.errors import InputError
from surgery.toolchain.profiles import analysis, build_log, console, perf, profiler_csv, profiler_log
from surgery.toolchain.profiles.profile import Profile, ProfileError
from surgery.toolchain.text import read_text

FORMATS: tuple[ModuleType, ...] = (analysis, perf, profiler_log, profiler_csv, console, build_log)
"""In the order they are asked: the more particular first, since a log may quote what another tool printed."""
_HINT = (
    "it is what hrt_model_exec perf prints or writes (profiler.log, profiler.csv), the JSON of hb_perf, hbm_perf or "
    "hb_analyzer, or a log of hb_mapper or hb_compile"
)
_TIMELESS = {
    "hb_model_modifier": re.compile(r"Nodes that (?:can be deleted|will be removed)"),
    "hb_model_info": re.compile(r"Start hb_model_info|Removable node info"),
    "hrt_model_exec model_info": re.compile(r"^aligned byte size:|^\[model name\]:", re.MULTILINE),
    "hb_verifier": re.compile(r"Strict check|mismatch line num"),
}
"""Tools whose output tells no times, by what it says."""


def read_profile(path: str | PathLike[str]) -> Profile:
    """The profile in a file.

    Raises:
        InputError: it cannot be read, is of no known format, is cut where it counts, or has a time that cannot be.
    """
    text = read_text(Path(path), _HINT)
    reasons = list[str]()
    for form in FORMATS:
        if form.claims(text):
            try:
                found: Profile = form.read(text, str(path))
            except ProfileError as error:
                reasons.append(str(error))
            else:
                return found
    timeless = [f"is what {tool} prints, which tells no times" for tool, said in _TIMELESS.items() if said.search(text)]
    if reasons and not timeless:
        raise InputError(reasons[0], where=str(path))
    raise InputError(next(iter(timeless), "is of no format that tells times"), where=str(path), hint=_HINT)
