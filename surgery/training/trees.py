"""Tensors in what a module takes and returns: nested tuples, lists and mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from surgery.training.torches import need

if TYPE_CHECKING:
    from torch import Tensor


def tensors(tree: object, name: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors of ``tree`` in order, each named by its way there; everything else is passed over.

    A key of a mapping is the name of what it holds, unless the mapping itself is part of something named.
    """
    if isinstance(tree, need("torch").Tensor):
        yield name, tree
    elif isinstance(tree, Mapping):
        for key, inner in tree.items():
            yield from tensors(inner, f"{name}_{key}" if name else str(key))
    elif isinstance(tree, (tuple, list)):
        for index, inner in enumerate(tree):
            yield from tensors(inner, f"{name}_{index}" if name else str(index))


def rebuilt(tree: Any, leaves: Iterator[Tensor]) -> Any:
    """``tree`` with the next of ``leaves`` in the place of each tensor."""
    if isinstance(tree, need("torch").Tensor):
        return next(leaves)
    if isinstance(tree, Mapping):
        return {key: rebuilt(inner, leaves) for key, inner in tree.items()}
    if isinstance(tree, (tuple, list)):
        made = [rebuilt(inner, leaves) for inner in tree]
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)
    return tree


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, with a number at the end of one that is taken or was there before."""
    used, found = set(taken), []
    for name in names:
        tries = (name, *(f"{name}_{number}" for number in range(2, len(used) + 3)))
        found.append(next(one for one in tries if one not in used))
        used.add(found[-1])
    return found
