"""Rewrites ONNX models so that they run well on Horizon and D-Robotics BPUs, and proves what it did.

    import surgery
    result = surgery.run("model.onnx", march="bayes-e")
    result.save("out.onnx")
    result.report.to_html("report.html")

Importing this package imports nothing heavy: every name below is found when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surgery.api import Pipeline as Pipeline
    from surgery.api import Run as Run
    from surgery.api import bisect as bisect
    from surgery.api import calibrate as calibrate
    from surgery.api import check as check
    from surgery.api import config as config
    from surgery.api import cost as cost
    from surgery.api import cost_diff as cost_diff
    from surgery.api import diff as diff
    from surgery.api import explain as explain
    from surgery.api import lint as lint
    from surgery.api import marches as marches
    from surgery.api import passes as passes
    from surgery.api import profile as profile
    from surgery.api import run as run
    from surgery.api import tradeoff as tradeoff
    from surgery.errors import SurgeryError as SurgeryError
    from surgery.ir import Model as Model

    __version__: str

_VERBS = (
    "Pipeline", "Run", "bisect", "calibrate", "check", "config", "cost_diff", "diff", "explain", "lint", "marches",
    "passes", "profile", "run",
)  # fmt: skip
_HOMES = {
    **dict.fromkeys(_VERBS, "surgery.api"),
    "Model": "surgery.ir",
    "SurgeryError": "surgery.errors",
}


_PACKAGES = ("cost", "tradeoff")
_SUBPACKAGES = ("training",)


class _Verb(ModuleType):
    """A package that is also a verb: ``surgery.cost`` holds the estimates, ``surgery.cost(model)`` makes one."""

    def __call__(self, model: Any, *, march: str, **options: Any) -> Any:
        """See the function of this name in :mod:`surgery.api`."""
        return getattr(import_module("surgery.api"), self.__name__.rpartition(".")[2])(model, march=march, **options)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds a package as an attribute here, in the place of the verb of the same name.
        if name in _PACKAGES:
            value.__class__ = _Verb
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("surgery")
    if name in {*_PACKAGES, *_SUBPACKAGES}:
        return import_module(f"surgery.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_PACKAGES, *_SUBPACKAGES, "__version__"})
