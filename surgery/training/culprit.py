"""The sub-module that keeps a module from being exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import nn

Call: TypeAlias = "tuple[tuple[Any, ...], dict[str, Any]]"
TRIES = 64
"""How many sub-modules are exported at most to find the one that cannot be."""


@contextmanager
def followed(module: nn.Module) -> Iterator[list[str]]:
    """The paths of the sub-modules whose ``forward`` is running, the innermost last; they stay there when it raises."""
    running: list[str] = []

    def enter(path: str) -> Callable[..., None]:
        return lambda *_: running.append(path)

    def leave(*_: object) -> None:
        running.pop()

    hooks = [inner.register_forward_pre_hook(enter(path)) for path, inner in module.named_modules()]
    hooks += [inner.register_forward_hook(leave) for inner in module.modules()]
    try:
        yield running
    finally:
        for hook in hooks:
            hook.remove()


def culprit(module: nn.Module, call: Call, fails: Callable[[nn.Module, Call], bool]) -> str:
    """The path of the innermost sub-module that cannot be exported by itself, "" where it is the module as a whole.

    Args:
        module: one that cannot be exported.
        call: what its ``forward`` is called with.
        fails: whether a module cannot be exported with what it was called with; asked at most :data:`TRIES` times.
    """
    path, left = "", TRIES
    calls = _calls(module, call)
    while True:
        inner = [(p, m) for p, m in module.get_submodule(path).named_children() if _join(path, p) in calls]
        inner = inner[:left]
        left -= len(inner)
        found = next((p for p, m in inner if fails(m, calls[_join(path, p)])), None)
        if found is None:
            return path
        path = _join(path, found)


def _calls(module: nn.Module, call: Call) -> dict[str, Call]:
    """What the sub-modules were called with when ``module`` ran, by path; the first call of each."""
    calls: dict[str, Call] = {}

    def note(path: str) -> Callable[..., None]:
        def noted(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls.setdefault(path, (args, kwargs))

        return noted

    hooks = [m.register_forward_pre_hook(note(path), with_kwargs=True) for path, m in module.named_modules()]
    try:
        module(*call[0], **call[1])
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
