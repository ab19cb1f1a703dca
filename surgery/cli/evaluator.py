"""``--eval module:function`` or ``file.py:function``: the user's own measure, from the working folder or installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from surgery.errors import InputError


def load_evaluator(text: str, option: str = "--eval") -> Callable[[Any], Any]:
    """The function that ``text`` names; InputError, which names the ``option``, when there is none."""
    module, colon, name = text.rpartition(":")
    if not (module and colon and name):
        raise InputError(f"{text!r} has not the form module:function", where=option)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(_of_file(Path(module)) if module.endswith(".py") else import_module(module), name)
    except (ImportError, AttributeError, OSError) as error:
        raise InputError(f"{text!r} cannot be imported: {error}", where=option) from error
    if not callable(found):
        raise InputError(f"{text!r} is no function", where=option)
    return found  # type: ignore[no-any-return]


def _of_file(path: Path) -> ModuleType:
    """The module that a file makes, under the name of the file."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file {str(path)!r}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Named:
    """An evaluator by its name, which other processes import for themselves.

    Attributes:
        name: ``module:function`` or ``file.py:function``, a path as seen from the folder.
        folder: where it is looked for, if it is there.
    """

    name: str
    folder: str = field(default_factory=lambda: str(Path.cwd()))

    def __call__(self, runner: Any) -> Any:
        """Call it."""
        return _found(self.name, self.folder)(runner)


@cache
def _found(name: str, folder: str) -> Callable[[Any], Any]:
    if folder not in sys.path and Path(folder).is_dir():
        sys.path.insert(0, folder)
    module, _, function = name.rpartition(":")
    return load_evaluator(f"{Path(folder) / module}:{function}" if module.endswith(".py") else name)
