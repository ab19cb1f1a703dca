"""A second assignment of the dynamic dims of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surgery.ir.graph import Dim, Value
from surgery.ir.sizes import Sizes


def second_shapes(inputs: Mapping[str, Value], first: Mapping[str, Sizes]) -> dict[str, Sizes]:
    """Another assignment of the dynamic dims: half of a large even size, twice any other.

    Dims of one name stay equal. Equal to ``first`` for a static model.
    """
    return {name: _moved(v.shape or first[name], first[name]) for name, v in inputs.items()}


def _moved(dims: Sequence[Dim], sizes: Sizes) -> Sizes:
    return tuple(s if isinstance(d, int) else _other(s) for d, s in zip(dims, sizes, strict=True))


def _other(size: int) -> int:
    return size // 2 if size >= 64 and size % 2 == 0 else 2 * size
