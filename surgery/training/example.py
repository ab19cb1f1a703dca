"""Example inputs of a module: what its ``forward`` is called with, and what the inputs of its graph are called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from surgery.errors import InputError
from surgery.training.torches import need
from surgery.training.trees import distinct, rebuilt, tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Example: TypeAlias = "Tensor | tuple[Any, ...] | list[Any] | Mapping[str, Any]"
"""A tensor, positional arguments, or arguments by name; of any device, moved to the module's."""


@dataclass(frozen=True)
class Arguments:
    """What ``forward`` is called with.

    Attributes:
        args: by position, tensors nested in them at will; what is no tensor becomes part of the graph.
        kwargs: by name.
        names: of the tensors among them, in order.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...]

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The tensors, in order."""
        return tuple(tensor for _, tensor in tensors([*self.args, *self.kwargs.values()], ""))

    def with_leaves(self, leaves: Iterator[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with other tensors in the places of these."""
        args = tuple(rebuilt(argument, leaves) for argument in self.args)
        return args, {name: rebuilt(argument, leaves) for name, argument in self.kwargs.items()}


def arguments(module: nn.Module, example: Example) -> Arguments:
    """The arguments of an example, their tensors on the module's device.

    Raises:
        InputError: it is no tensor, tuple or mapping, holds no tensor, or does not fit ``module.forward``.
    """
    args, kwargs = split(example)
    bound = _bound(module, args, kwargs)
    named = [pair for name, value in bound for pair in tensors(value, name)]
    if not named:
        raise InputError("there is no tensor in the example", where="example")
    device = _device(module)
    moved = (tensor.detach().to(device) if device else tensor.detach() for _, tensor in named)
    in_order = {name: value for name, value in bound if name in kwargs}
    found = Arguments(args, in_order, tuple(distinct(name for name, _ in named)))
    return Arguments(*found.with_leaves(moved), found.names)


def split(example: Example) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments by position and by name; InputError for what is no example."""
    if isinstance(example, need("torch").Tensor):
        return (example,), {}
    if isinstance(example, Mapping):
        return (), {str(name): value for name, value in example.items()}
    if isinstance(example, (tuple, list)):
        return tuple(example), {}
    hint = "give a torch.Tensor, a tuple of arguments, or a mapping of arguments by name"
    raise InputError(f"a {type(example).__name__} is no example input", where="example", hint=hint)


def _bound(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    """Each argument with the name of its parameter; those of ``*args`` and ``**kwargs`` are numbered and named."""
    signature = inspect.signature(module.forward)
    try:
        found = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise InputError(f"forward of {type(module).__name__} cannot be called: {error}", where="example") from error
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    spread = {name for name in found if kinds[name] is inspect.Parameter.VAR_KEYWORD}
    ordered = [(name, value) for name, value in found.items() if name not in spread]
    return ordered + [pair for name in spread for pair in found[name].items()]


def _device(module: nn.Module) -> Any:
    """The one device of parameters and buffers; None where there is none, or several."""
    devices = {tensor.device for tensor in (*module.parameters(), *module.buffers())}
    return devices.pop() if len(devices) == 1 else None
