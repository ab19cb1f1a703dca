"""The two sources of a run's host code, with the detection of a head where that agrees with its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surgery.drift.metrics import Array
from surgery.host.cpp import cpp_header
from surgery.host.detection import Detection, agrees, detection_of
from surgery.host.program import Program
from surgery.host.python import python_module
from surgery.pipeline.heads import Head

SEED = 0
SPREAD = 3.0
"""Standard deviation of the made-up maps that both are tried on: logits of a few units."""


@dataclass(frozen=True)
class Source:
    """What is printed, and whether it holds ``detect``."""

    python: str
    cpp: str
    detects: bool = False


def printed(programs: Sequence[Program], namespace: str, about: Sequence[str], heads: Sequence[Head]) -> Source:
    """Both sources of a prologue and an epilogue."""
    module, epilogue = python_module(programs, about), programs[1]
    slots = {slot.name: slot for slot in epilogue.inputs}
    detection = detection_of(heads, epilogue)
    forms = [replace(detection, centred=centred) for centred in (False, True)] if detection else []
    for tried in forms:
        text = module + tried.python(slots)
        if _holds(tried, functions_of(text), epilogue):
            return Source(text, cpp_header(programs, namespace, about, tried.cpp(epilogue)), detects=True)
    return Source(module, cpp_header(programs, namespace, about))


def functions_of(module: str) -> Mapping[str, Callable[..., Any]]:
    """The functions of a generated module, by name."""
    space: dict[str, Any] = {}
    exec(compile(module, "host_code.py", "exec"), space)  # what this package printed
    return {name: space[name] for name in ("prologue", "epilogue", "detect") if name in space}


def _holds(detection: Detection, functions: Mapping[str, Callable[..., Any]], epilogue: Program) -> bool:
    """Whether ``detect`` without a threshold is what the epilogue decodes, on made-up maps."""
    rng = np.random.default_rng(SEED)
    maps: dict[str, Array] = {
        slot.name: (SPREAD * rng.standard_normal(slot.shape)).astype(slot.dtype) for slot in epilogue.inputs
    }
    decoded = functions["epilogue"]({**maps, **{name: np.zeros(0) for name in epilogue.passed}})
    found = functions["detect"](maps, 0.0)
    return any(agrees(found, decoded[slot.name], detection.classes) for slot in epilogue.outputs)
