"""Rewrites ONNX models so that they run well on Horizon and D-Robotics BPUs, and proves what it did.

    import surgery
    result = surgery.run("model.onnx", march="bayes-e")
    result.save("out.onnx")
    result.report.to_html("report.html")

Importing this package imports nothing heavy: every name below is found when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surgery.api import Run as Run
    from surgery.api import bisect as bisect
    from surgery.api import check as check
    from surgery.api import cost as cost
    from surgery.api import diff as diff
    from surgery.api import explain as explain
    from surgery.api import marches as marches
    from surgery.api import passes as passes
    from surgery.api import run as run
    from surgery.errors import SurgeryError as SurgeryError
    from surgery.ir import Model as Model
    from surgery.pipeline import Pipeline as Pipeline

    __version__: str

_VERBS = ("Run", "bisect", "check", "cost", "diff", "explain", "marches", "passes", "run")
_HOMES = {
    **dict.fromkeys(_VERBS, "surgery.api"),
    "Model": "surgery.ir",
    "Pipeline": "surgery.pipeline",
    "SurgeryError": "surgery.errors",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("surgery")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
