"""PyTorch where it is installed: it is imported when something of it is needed, never before."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from surgery.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import TypeIs

EXTRA = "training"
"""The extra of this package that installs what is needed here."""


def need(name: str) -> ModuleType:
    """The module ``name`` of what the extra installs; InputError, naming the extra, where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        hint = f"pip install 'surgery[{EXTRA}]'"
        raise InputError(f"{package} is not installed, which modules are exported with", hint=hint) from error


def is_module(thing: object) -> TypeIs[nn.Module]:
    """Whether ``thing`` is an ``nn.Module``: nothing is one as long as nobody imported torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


def need_module(thing: object) -> nn.Module:
    """``thing`` as a module whose code can be run; InputError for anything else, TorchScript among it."""
    torch = need("torch")
    if not isinstance(thing, torch.nn.Module):
        raise InputError(f"a {type(thing).__name__} is no torch.nn.Module")
    if isinstance(thing, torch.jit.ScriptModule):
        raise InputError("a TorchScript module cannot be exported", hint="give the nn.Module that it was made from")
    found: nn.Module = thing
    return found
