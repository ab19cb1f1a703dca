"""Which indices of which axes stand for the same channel: what the rules of operators write down.

Every index of every axis of a tensor is an *atom*. An operator ties atoms of its inputs to atoms of its outputs, when
one cannot go without the other, and holds those that have to stay. What is tied together goes together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from surgery.ir import Constant, Node, Tensor

Atoms: TypeAlias = "NDArray[np.int64]"


class Unclear(Exception):
    """Why the channels of a node cannot be followed: what it touches has to stay as it is."""


class Block(NamedTuple):
    """The atoms of one axis of ``tensor``; ``reader`` tells the uses of a vector of constants apart."""

    tensor: Tensor
    axis: int
    reader: Node | None
    atoms: Atoms

    @property
    def nodes(self) -> list[Node]:
        """The nodes that read or compute it."""
        made = self.tensor.producer
        return [*self.tensor.consumers, *([made] if made is not None else [])]


@dataclass(frozen=True, eq=False)
class Choice:
    """An axis that several factors make up, row by row, of which one can lose indices while the others stay whole.

    Attributes:
        node: the Reshape.
        axis: atoms of the axis, as many as the product of the sizes of ``factors``.
        factors: atoms of each factor.
        inner: the innermost is to be preferred to the outermost: channels are only shuffled.
    """

    node: Node
    axis: Atoms
    factors: tuple[Atoms, ...]
    inner: bool = False

    def carried_by(self, index: int) -> Atoms:
        """The atom of factor ``index`` that each atom of the axis belongs to."""
        sizes = [len(f) for f in self.factors]
        atoms: Atoms = self.factors[index][np.indices(sizes)[index].reshape(-1)]
        return atoms


class Ties:
    """Atoms, what ties them, and what holds them.

    Args:
        opset: version of the default domain.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.blocks: dict[tuple[int, int, int], Block] = {}
        self.choices: list[Choice] = []
        self._count = 0
        self._label: Atoms = np.empty(0, np.int64)
        self._components = 0
        self._ties: list[tuple[Atoms, Atoms]] = []
        self._held: list[tuple[Atoms, str]] = []

    def atoms(self, tensor: Tensor, axis: int, reader: Node) -> Atoms:
        """The atoms of an axis of what ``reader`` reads or computes; a single one where the size is not known.

        Raises Unclear where the rank is unknown.
        """
        if tensor.shape is None:
            raise Unclear(f"the shape of {tensor.name!r} is not known")
        axis %= max(1, len(tensor.shape))
        owner = reader if _is_vector(tensor) else None
        key = (id(tensor), axis, id(owner))
        if key not in self.blocks:
            size = tensor.shape[axis]
            self.blocks[key] = Block(tensor, axis, owner, self.fresh(size if isinstance(size, int) else 1))
        return self.blocks[key].atoms

    def fresh(self, count: int) -> Atoms:
        """New atoms, of no tensor yet."""
        self._count += count
        return np.arange(self._count - count, self._count)

    def tie(self, first: Atoms, second: Atoms) -> None:
        """These go together, one by one."""
        if len(first) != len(second):
            self.hold(first, "sizes that are not known")
            self.hold(second, "sizes that are not known")
        elif len(first):
            self._ties.append((first, second))

    def hold(self, atoms: Atoms, reason: str) -> None:
        """These have to stay; ``reason`` completes "because of"."""
        self._held.append((atoms, reason))

    def hold_all(self, tensor: Tensor, reader: Node, reason: str) -> None:
        """All axes of ``tensor`` have to stay; nothing to say where the rank is unknown."""
        for axis in range(len(tensor.shape or ())):
            self.hold(self.atoms(tensor, axis, reader), reason)

    def decide(self) -> None:
        """Settle all choices: by what is held where that leaves one factor, else by the first that is left open."""
        while self.choices:
            free = self._free()
            settled = [c for c in self.choices if len(_open(c, free)) < 2 or not free[c.axis].any()]
            for choice in settled or self.choices[:1]:
                self._settle(choice, _open(choice, free) if free[choice.axis].any() else [])
                self.choices.remove(choice)

    def _settle(self, choice: Choice, left: Sequence[int]) -> None:
        chosen = None if not left else left[-1] if choice.inner else left[0]
        reason = f"{choice.node.op} {choice.node.name!r}, which keeps this axis whole"
        if chosen is None:
            self.hold(choice.axis, reason)
        else:
            self.tie(choice.axis, choice.carried_by(chosen))
        for index, factor in enumerate(choice.factors):
            if index != chosen:
                self.hold(factor, reason)

    def components(self) -> tuple[Atoms, dict[int, str]]:
        """The component of every atom, and why a component has to stay, for each that has."""
        label = self._labels()
        reasons: dict[int, str] = {}
        for atoms, reason in self._held:
            for component in np.unique(label[atoms]).tolist():
                reasons.setdefault(component, reason)
        return label, reasons

    def _labels(self) -> Atoms:
        """The component of every atom; what was tied up to now is remembered in that form."""
        fresh = np.arange(self._count - len(self._label)) + self._components
        label = np.concatenate([self._label, fresh])
        size = self._components + len(fresh)
        left, right = (np.concatenate([label[:0], *(label[pair[side]] for pair in self._ties)]) for side in (0, 1))
        graph = coo_array((np.ones(len(left), np.bool_), (left, right)), (size, size))
        self._components, merged = connected_components(graph, directed=False)
        self._label, self._ties = merged.astype(np.int64)[label], []
        return self._label

    def _free(self) -> NDArray[np.bool_]:
        """Of every atom, whether nothing holds it or what it is tied to."""
        label = self._labels()
        free = np.ones(self._components, np.bool_)
        free[label[np.concatenate([label[:0], *(atoms for atoms, _ in self._held)])]] = False
        return free[label]


def _open(choice: Choice, free: NDArray[np.bool_]) -> list[int]:
    return [i for i, factor in enumerate(choice.factors) if free[factor].any()]


def _is_vector(tensor: Tensor) -> bool:
    """Whether a constant has at most one axis of more than one element: biases and scales, which exporters share."""
    return isinstance(tensor, Constant) and sum(size > 1 for size in tensor.shape) < 2
