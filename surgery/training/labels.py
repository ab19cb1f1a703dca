"""Which parameter a constant of an export is: told by values that occur nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from surgery.training.torches import need

if TYPE_CHECKING:
    from torch import Tensor, nn

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True)
class Origin:
    """Where a constant comes from.

    Attributes:
        key: name of the parameter or buffer.
        axes: by axis of the constant that of the parameter; None for an axis of one element.
    """

    key: str
    axes: tuple[int | None, ...]

    def laid_out(self, array: Array) -> Array:
        """The parameter's ``array`` as the constant has it."""
        kept = [axis for axis in self.axes if axis is not None]
        rest = [axis for axis in range(array.ndim) if axis not in kept]
        sizes = [1 if axis is None else array.shape[axis] for axis in self.axes]
        return array.transpose(kept + rest).reshape(sizes)


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of floats by name; one that has several names under the first."""
    found = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor for name, tensor in found if tensor.is_floating_point() and tensor.numel()}


def first_names(module: nn.Module) -> dict[str, str]:
    """For every name of a parameter or buffer the first one of the same tensor."""
    first: dict[int, str] = {}
    every = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: first.setdefault(id(tensor), name) for name, tensor in every}


class Labels:
    """Values of which every parameter has its own, and which parameter has which."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self._keys: dict[tuple[str, int, int], list[str]] = {}
        for key, array in arrays.items():
            self._keys.setdefault(_print_of(array), []).append(key)

    def origin(self, array: Array) -> Origin | None:
        """The parameter that ``array`` holds, whatever the order of its axes; None where it is none."""
        for key in self._keys.get(_print_of(array), ()):
            axes = _axes(self._arrays[key], array)
            if axes is not None:
                return Origin(key, axes)
        return None


@contextmanager
def labelled(module: nn.Module) -> Iterator[Labels]:
    """Every parameter and buffer of floats has values that no other has; afterwards its own again."""
    torch, tensors, rng = need("torch"), named_tensors(module), np.random.default_rng(0)
    own = {name: tensor.data for name, tensor in tensors.items()}
    try:
        for index, tensor in enumerate(tensors.values()):
            values = (index + rng.random(tuple(tensor.shape))) / len(tensors)
            tensor.data = torch.as_tensor(values).to(tensor.dtype).to(tensor.device)
        yield Labels({name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})
    finally:
        for name, tensor in tensors.items():
            tensor.data = own[name]


def _print_of(array: Array) -> tuple[str, int, int]:
    """What two arrays of the same elements have in common, in whatever order."""
    elements = np.ascontiguousarray(array).reshape(-1)
    bits = elements.view(f"u{array.dtype.itemsize}") if array.dtype.kind == "f" else elements[:0].astype(np.uint8)
    return str(array.dtype), array.size, int(bits.sum(dtype=np.uint64))


def _axes(whole: Array, array: Array) -> tuple[int | None, ...] | None:
    """By axis of ``array`` that of ``whole``, where it has the same elements in the order of some axes."""
    long = [axis for axis, size in enumerate(whole.shape) if size > 1]
    sizes = [size for size in array.shape if size > 1]
    for order in permutations(long):
        if [whole.shape[axis] for axis in order] == sizes:
            turned = whole.squeeze().transpose([long.index(axis) for axis in order])
            if np.array_equal(turned, array.squeeze()):
                left = iter(order)
                return tuple(next(left) if size > 1 else None for size in array.shape)
    return None
