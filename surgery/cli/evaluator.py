"""``--eval module:function``: the user's own measure, imported from the working folder or the environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from surgery.errors import InputError


def load_evaluator(text: str) -> Callable[[Any], Any]:
    """The function that ``text`` names; InputError when there is none."""
    module, colon, name = text.partition(":")
    if not (module and colon and name):
        raise InputError(f"{text!r} has not the form module:function", where="--eval")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{text!r} cannot be imported: {error}", where="--eval") from error
    if not callable(found):
        raise InputError(f"{text!r} is no function", where="--eval")
    return found  # type: ignore[no-any-return]
